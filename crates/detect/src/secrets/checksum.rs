//! Tokens that carry their own check.
//!
//! GitHub's are a prefix, 30 random characters and the CRC-32 of those in six digits of base 62.
//!
//! Must not know: where tokens stand.

/// Whether the last six characters are the check of those before them, as GitHub and npm have it.
pub(crate) fn has_crc(random: &[u8]) -> bool {
    random
        .split_at_checked(random.len().saturating_sub(CHECK_CHARACTERS))
        .is_some_and(|(body, check)| base62(crc32(body)) == check)
}

const CHECK_CHARACTERS: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |crc: u32| (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
    let fed = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, fed)
}

fn base62(mut number: u32) -> [u8; CHECK_CHARACTERS] {
    let mut text = [b'0'; CHECK_CHARACTERS];
    for slot in text.iter_mut().rev() {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        *slot = DIGITS.get(digit).copied().unwrap_or_default();
        number /= 62;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{crc32, has_crc};

    #[test]
    fn the_published_example_holds() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let token = ["zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
        assert!(has_crc(token.as_bytes()));
        assert!(!has_crc(token.replace('7', "8").as_bytes()));
        assert!(!has_crc(b""));
    }
}
