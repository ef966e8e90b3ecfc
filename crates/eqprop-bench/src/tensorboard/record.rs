//! Records between their length and their checksum.

use std::fs::File;
use std::io::{self, Read};

/// Bytes around an event: its length and that one's checksum before it, its own checksum behind it.
const AROUND: [usize; 2] = [12, 4];

/// A record that holds `event`.
pub fn of(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(checksum(&length).to_le_bytes());
    bytes.extend(event);
    bytes.extend(checksum(event).to_le_bytes());
    bytes
}

/// The records of a file, as far as they are whole.
#[derive(Debug)]
pub struct Records {
    bytes: Vec<u8>,
    end: usize,
}

impl Records {
    /// Those of `file`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(file: &mut File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self { bytes, end: 0 })
    }

    /// Where the last record ended that was read.
    pub fn end(&self) -> u64 {
        self.end as u64
    }

    /// The event of the next record, if there is one and it is whole.
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

/// CRC-32C, turned by 15 bits and shifted, as TensorFlow has it: a checksum of data that hold checksums.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The cyclic redundancy check with Castagnoli's polynomial.
fn crc32c(bytes: &[u8]) -> u32 {
    /// With its bits in reverse.
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
