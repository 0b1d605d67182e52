//! Check digits.
//!
//! Must not know: texts. Digits come in as numbers from 0 to 9.

/// Luhn's sum over all digits, the last one the check digit.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match place % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// The remainder by 97 of letters and digits, `A` being 10, as ISO 7064 has it. `None` where
/// another character is among them.
pub(crate) fn mod97(text: impl Iterator<Item = u8>) -> Option<u32> {
    let mut rest = 0;
    for byte in text {
        rest = match byte {
            b'0'..=b'9' => rest * 10 + u32::from(byte - b'0'),
            b'A'..=b'Z' => rest * 100 + u32::from(byte - b'A' + 10),
            b'a'..=b'z' => rest * 100 + u32::from(byte - b'a' + 10),
            _ => return None,
        } % 97;
    }
    Some(rest)
}

/// The sum of digits times weights.
pub(crate) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum()
}

/// Verhoeff's check over all digits.
pub(crate) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut state = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let mut moved = *digit;
        for _ in 0..place % 8 {
            moved = PERMUTATION
                .get(usize::from(moved))
                .copied()
                .unwrap_or_default();
        }
        state = dihedral(state, moved);
    }
    state == 0
}

/// Multiplication in the dihedral group of the pentagon.
const fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + (b - 5)) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a - 5 + 5 - (b - 5)) % 5,
    }
}

/// The digits of a text.
pub(crate) fn digits_of(text: &[u8]) -> Vec<u8> {
    text.iter()
        .filter(|byte| byte.is_ascii_digit())
        .map(|byte| byte - b'0')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{digits_of, luhn, mod97, verhoeff};

    #[test]
    fn published_examples_hold() {
        assert!(luhn(&digits_of(b"4111 1111 1111 1111")) && !luhn(&digits_of(b"4111111111111112")));
        assert_eq!(mod97(b"WEST12345698765432GB82".iter().copied()), Some(1));
        assert!(verhoeff(&digits_of(b"2363")) && !verhoeff(&digits_of(b"2364")));
    }
}
