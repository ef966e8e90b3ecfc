//! Frames events with their length and checksums.

use std::fs::File;
use std::io::{self, Read};

/// Number of bytes around an event: its length and the checksum of the length before it, its own checksum
/// after it.
const AROUND: [usize; 2] = [12, 4];

/// Returns a record that holds `event`.
pub fn of(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(checksum(&length).to_le_bytes());
    bytes.extend(event);
    bytes.extend(checksum(event).to_le_bytes());
    bytes
}

/// The complete records of a file.
#[derive(Debug)]
pub struct Records {
    bytes: Vec<u8>,
    end: usize,
}

impl Records {
    /// Reads the records of `file`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(file: &mut File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self { bytes, end: 0 })
    }

    /// Returns the end of the last record read.
    pub fn end(&self) -> u64 {
        self.end as u64
    }

    /// Returns the event of the next record, if there is one and it is complete.
    pub fn advance(&mut self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.end..)?;
        let (length, rest) = rest.split_at_checked(size_of::<u64>())?;
        let (sum, rest) = rest.split_at_checked(AROUND[1])?;
        if checksum(length).to_le_bytes() != *sum {
            return None;
        }
        let length = u64::from_le_bytes(length.try_into().expect("split off so long"));
        let (event, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let (sum, _) = rest.split_at_checked(AROUND[1])?;
        if checksum(event).to_le_bytes() != *sum {
            return None;
        }
        self.end += AROUND[0] + event.len() + AROUND[1];
        Some(event)
    }
}

/// Computes the CRC-32C, rotated by 15 bits and offset, as TensorFlow does: a checksum for data that contain
/// checksums.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Computes the cyclic redundancy check with Castagnoli's polynomial.
fn crc32c(bytes: &[u8]) -> u32 {
    /// With its bits reversed.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let bits = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => (crc >> 1) ^ POLYNOMIAL,
            _ => crc >> 1,
        })
    };
    !bytes.iter().fold(!0, bits)
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }
}
