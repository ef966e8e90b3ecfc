use plotters::prelude::RGBColor;

use super::*;

const NAN: f64 = f64::NAN;

fn series(label: &str, points: &[Point]) -> Series {
    Series {
        label: label.to_owned(),
        points: points.to_vec(),
    }
}

fn panel(y_scale: Scale, series: Vec<Series>) -> Panel {
    let labels = ["epoch", "test error (%)"];
    Panel::new("Title", labels, [Scale::Linear, y_scale], series)
}

fn drawn(panel: Panel) -> String {
    render(&[panel], 1).unwrap()
}

/// Returns the numbers of points of the polylines in the color of series `i`, including the one in the
/// legend.
fn polylines(svg: &str, i: usize) -> Vec<usize> {
    let RGBColor(r, g, b) = PALETTE[i];
    let stroke = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\"");
    svg.lines()
        .filter(|line| line.starts_with("<polyline") && line.contains(&stroke))
        .map(|line| line.matches(',').count())
        .collect()
}

#[test]
fn labels_and_a_scalable_size_are_in_the_document() {
    let svg = drawn(panel(Scale::Linear, vec![series("a", &[(0.0, 1.0)])]));
    assert!(svg.starts_with(
        "<svg width=\"480\" height=\"340\" stroke-linejoin=\"round\" viewBox=\"0 0 3840 2720\""
    ));
    assert!(svg.trim_end().ends_with("</svg>"));
    for label in ["Title", "epoch", "test error (%)"] {
        assert!(svg.contains(label), "{label} is missing");
    }
}

#[test]
fn a_legend_is_drawn_only_for_several_series() {
    let one = series("first", &[(0.0, 1.0), (1.0, 2.0)]);
    let two = series("second", &[(0.0, 2.0), (1.0, 1.0)]);
    let svg = drawn(panel(Scale::Linear, vec![one.clone()]));
    assert!(!svg.contains("first"));
    let svg = drawn(panel(Scale::Linear, vec![one, two]));
    assert!(svg.contains("first") && svg.contains("second"));
}

#[test]
fn undrawable_points_interrupt_the_line() {
    let points = [
        (0.0, 1.0),
        (1.0, 2.0),
        (2.0, NAN),
        (3.0, 2.0),
        (4.0, 3.0),
        (5.0, 1.0),
    ];
    let svg = drawn(panel(Scale::Linear, vec![series("a", &points)]));
    assert_eq!(polylines(&svg, 0), [2, 3]);
    assert_eq!(svg.matches("<circle").count(), 5);
}

#[test]
fn a_log_scale_leaves_out_what_is_not_positive() {
    let points = [
        (0.0, 0.0),
        (1.0, 1e-3),
        (2.0, 1e-1),
        (3.0, -1.0),
        (4.0, 1e-6),
        (5.0, 1e-5),
    ];
    let svg = drawn(panel(Scale::Log, vec![series("a", &points)]));
    assert_eq!(polylines(&svg, 0), [2, 2]);
    assert!(svg.contains("1e-3"));
}

#[test]
fn long_series_have_no_markers_except_on_lone_points() {
    let mut points: Vec<Point> = (0..100).map(|i| (f64::from(i), f64::from(i * i))).collect();
    let svg = drawn(panel(Scale::Linear, vec![series("a", &points)]));
    assert_eq!(svg.matches("<circle").count(), 0);
    points[97].1 = f64::INFINITY;
    points[99].1 = f64::NEG_INFINITY;
    let svg = drawn(panel(Scale::Linear, vec![series("a", &points)]));
    assert_eq!(polylines(&svg, 0), [97]);
    assert_eq!(svg.matches("<circle").count(), 1);
}

#[test]
fn a_panel_without_drawable_points_says_so() {
    let undrawable = [(NAN, 1.0), (1.0, f64::INFINITY), (2.0, -3.0)];
    for series in [
        vec![],
        vec![series("a", &[])],
        vec![series("a", &undrawable); 2],
    ] {
        assert!(drawn(panel(Scale::Log, series)).contains("no data"));
    }
    assert!(render(&[], 0).unwrap().contains("</svg>"));
}

#[test]
fn extreme_values_give_finitely_many_ticks_inside_the_axis() {
    let cases: [&[f64]; 12] = [
        &[0.0],
        &[7.0, 7.0],
        &[-1e300, 1e300],
        &[f64::MIN_POSITIVE, 5e-324],
        &[1e-310, 1e300],
        &[1e16, 1e16 + 2.0],
        &[1e-300, 3e-300],
        &[-1e-5, 2e-5],
        &[0.1, 0.1000001],
        &[123_456.0, 123_789.0],
        &[0.0, 1e5],
        &[2.0, 2.1],
    ];
    for scale in [Scale::Linear, Scale::Log] {
        for values in cases {
            let positions: Vec<f64> = values.iter().filter_map(|&v| position(scale, v)).collect();
            let axis = Axis::new(scale, positions.iter().copied(), 0.05, 5);
            assert!(axis.low < axis.high, "{values:?}");
            assert!(axis.ticks.len() <= 12, "{values:?}");
            assert!(positions.is_empty() || !axis.ticks.is_empty(), "{values:?}");
            for tick in &axis.ticks {
                let fraction = axis.fraction(tick.position);
                assert!((-1e-6..=1.0 + 1e-6).contains(&fraction), "{values:?}");
            }
            let mut labels: Vec<_> = axis.ticks.iter().map(|tick| &tick.label).collect();
            labels.dedup();
            assert_eq!(labels.len(), axis.ticks.len(), "{values:?}: {labels:?}");
            let points: Vec<Point> = values.iter().map(|&v| (v, v)).collect();
            let mut panel = panel(scale, vec![series("a", &points)]);
            panel.x_scale = scale;
            drawn(panel);
        }
    }
}

#[test]
fn tick_labels_are_short_and_exact() {
    let labels = |scale, values: &[f64]| {
        let positions = values.iter().filter_map(|&v| position(scale, v));
        let axis = Axis::new(scale, positions, 0.0, 5);
        axis.ticks.into_iter().map(|t| t.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(Scale::Linear, &[0.0, 1.0]), ["0", "1"]);
    assert_eq!(
        labels(Scale::Linear, &[0.0, 25.0]),
        ["0", "5", "10", "15", "20", "25"]
    );
    assert_eq!(
        labels(Scale::Linear, &[-0.3, 0.12]),
        ["-0.3", "-0.2", "-0.1", "0", "0.1"]
    );
    assert_eq!(
        labels(Scale::Log, &[1e-8, 1.0]),
        ["1e-8", "1e-6", "1e-4", "1e-2", "1e0"]
    );
    assert_eq!(
        labels(Scale::Log, &[1.0, 60.0]),
        ["1", "2", "5", "10", "20", "50"]
    );
    assert_eq!(
        labels(Scale::Log, &[20.0, 30.0]),
        ["20", "22", "24", "26", "28", "30"]
    );
}

#[test]
fn panels_wrap_to_the_given_number_of_columns() {
    let panels = vec![panel(Scale::Linear, vec![]); 5];
    for (columns, size) in [
        (2, "960\" height=\"1020"),
        (9, "2400\" height=\"340"),
        (0, "480\" height=\"1700"),
    ] {
        let svg = render(&panels, columns).unwrap();
        assert!(
            svg.starts_with(&format!("<svg width=\"{size}\"")),
            "{columns} columns"
        );
        assert_eq!(svg.matches("no data").count(), 5);
    }
}

#[test]
fn markup_in_labels_is_escaped_and_control_characters_are_dropped() {
    let mut panel = panel(Scale::Linear, vec![]);
    panel.title = "a < b & \"c\"\0".to_owned();
    let svg = drawn(panel);
    assert!(svg.contains("a &lt; b &amp; "));
    assert!(!svg.contains('\0'));
}

#[test]
fn a_panel_beside_another_need_not_name_its_lines() {
    let line = [(0.0, 1.0), (1.0, 2.0)];
    let of = || {
        panel(
            Scale::Linear,
            vec![series("first", &line), series("second", &line)],
        )
    };
    assert!(drawn(of()).contains("second"));
    assert!(!drawn(of().without_legend()).contains("second"));
}

#[test]
fn the_legend_leaves_the_data_uncovered() {
    let zigzag: Vec<Point> = (0..30).map(|i| (f64::from(i), f64::from(i % 2))).collect();
    let svg = drawn(panel(
        Scale::Linear,
        vec![series("a", &zigzag), series("b", &zigzag)],
    ));
    let ordinates = |line: &str| -> Vec<f64> {
        let points = line
            .split("points=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let pairs = points.split_whitespace();
        pairs
            .map(|p| p.split(',').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    let lines: Vec<Vec<f64>> = svg
        .lines()
        .filter(|line| line.starts_with("<polyline") && line.contains("#0072B2"))
        .map(ordinates)
        .collect();
    let [data, key] = &lines[..] else {
        panic!(
            "one line of data and one in the legend, got {}",
            lines.len()
        );
    };
    let top_of_data = data.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(key[0] < top_of_data);
}

#[test]
fn tiles_have_captions_labels_and_one_box_for_equal_neighbors() {
    let tile = |values: &[f32]| Tile {
        caption: "t = 0".to_owned(),
        height: 2,
        width: 2,
        values: values.to_vec(),
    };
    let boxes = |values: &[f32]| {
        let rows = [("hidden".to_owned(), vec![tile(values)])];
        let svg = render_tiles("States", &rows, (0.0, 1.0)).unwrap();
        for text in ["States", "hidden", "t = 0"] {
            assert!(svg.contains(text), "{text} is missing");
        }
        (svg.matches("<rect").count(), svg.matches("#E69F00").count())
    };
    let (n_equal, _) = boxes(&[0.0, 0.0, 1.0, 1.0]);
    let (n_different, _) = boxes(&[0.0, 1.0, 0.0, 1.0]);
    assert_eq!(n_different, n_equal + 2);
    assert_eq!(boxes(&[0.5, 0.5, f32::NAN]).1, 1);
}

#[test]
fn tiles_without_pixels_or_range_are_drawn() {
    let tile = |height, width| Tile {
        caption: String::new(),
        height,
        width,
        values: vec![0.3; 12],
    };
    let tiles = vec![tile(0, 0), tile(0, 3), tile(1, 12), tile(12, 1)];
    let rows = [("a".to_owned(), tiles), ("b".to_owned(), vec![])];
    for range in [(0.0, 1.0), (1.0, 1.0), (f32::NAN, 1.0), (1.0, 0.0)] {
        assert!(render_tiles("", &rows, range).unwrap().contains("</svg>"));
    }
    assert!(
        render_tiles("", &[], (0.0, 1.0))
            .unwrap()
            .contains("</svg>")
    );
}

fn bar(label: &str, parts: &[f64]) -> Bar {
    Bar {
        label: label.to_owned(),
        parts: parts.to_vec(),
        value: format!(
            "{:.1}",
            parts.iter().copied().filter(|v| v.is_finite()).sum::<f64>()
        ),
    }
}

/// Returns the left and right ends of the filled boxes in color `i`, in drawing order.
fn boxes(svg: &str, i: usize) -> Vec<(f64, f64)> {
    let RGBColor(r, g, b) = PALETTE[i];
    let fill = format!("fill=\"#{r:02X}{g:02X}{b:02X}\"");
    let number = |line: &str, key: &str| -> f64 {
        let rest = line.split(&format!(" {key}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let filled = svg
        .lines()
        .filter(|line| line.starts_with("<rect") && line.contains(&fill));
    filled
        .map(|line| (number(line, "x"), number(line, "x") + number(line, "width")))
        .collect()
}

#[test]
fn the_parts_of_a_bar_follow_each_other_to_scale() {
    let bars = [bar("first", &[1.0, 3.0]), bar("second", &[2.0, 0.0])];
    let svg = render_bars("Title", "ms", &["free", "nudged"], &bars).unwrap();
    for label in [
        "Title", "ms", "free", "nudged", "first", "second", "4.0", "2.0",
    ] {
        assert!(svg.contains(label), "{label} is missing");
    }
    // The first box of a color is its key in the legend.
    let ((one, first), (_, second)) = (boxes(&svg, 0)[1], boxes(&svg, 0)[2]);
    let (from, to) = boxes(&svg, 1)[1];
    // Two grid steps of rounding.
    assert!((from - first).abs() <= 2.0);
    assert!(((to - from) - 3.0 * (first - one)).abs() <= 4.0);
    assert!(((second - one) - 2.0 * (first - one)).abs() <= 4.0);
    assert_eq!(boxes(&svg, 1).len(), 2, "an empty part is not drawn");
}

#[test]
fn bars_without_values_are_drawn() {
    for bars in [vec![], vec![bar("none", &[0.0])], vec![bar("nan", &[NAN])]] {
        let svg = render_bars("Title", "ms", &["all"], &bars).unwrap();
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
    }
}
