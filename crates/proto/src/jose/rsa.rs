//! Which RSA public keys are taken.

/// Bits of a modulus (RFC 7518 §3.3 asks for 2048; the library stops at 8192).
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Whether a key of modulus `n` and exponent `e`, big-endian as in a JWK, is safe to believe.
///
/// The library checks the size of a key only when it verifies a signature, which is too late at
/// registration. It refuses even exponents and those above 33 bits, but accepts 3; here they must
/// be above 2^16 (FIPS 186-5 §5.4).
pub(crate) fn is_sound(n: &[u8], e: &[u8]) -> bool {
    BITS.contains(&bits(n)) && bits(e) > 16 && !is_roca(n)
}

/// A number with a leading zero byte is not in the shortest form (RFC 7518 §2), and counts as
/// having no bits.
fn bits(number: &[u8]) -> usize {
    match number.first() {
        None | Some(0) => 0,
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
    }
}

/// Whether the modulus was made by the library of CVE-2017-15361 ("ROCA"), whose keys can be
/// factored: modulo every small prime such a modulus is a power of 65537. One honest modulus in
/// 2^27 looks like it.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let rest = n.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        // The powers come round after at most `prime` steps.
        (0..*prime).any(|_| {
            power = power * 65537 % prime;
            power == rest
        })
    })
}
