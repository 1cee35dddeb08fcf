//! P1: encode and decode against the classic scheme (one row and one column at a
//! time with `pshufb` nibble tables), in the same run. Prints one JSON object;
//! times are thread CPU time, µs per block, the least of several rounds.

use std::hint::black_box;

use punktfunk_fec::gf8::{Backend, Codec, Stripe, coefficient};

const SHARD: usize = 1392;
const ROUNDS: usize = 5;
const ROUND_NS: u64 = 40_000_000;

fn main() {
    let mut blocks = Vec::new();
    for (data, parity) in [(8, 2), (32, 8), (100, 20), (200, 55)] {
        let mut parts = Vec::new();
        let classic = measure(data, parity, &mut Classic);
        for backend in Backend::ALL.into_iter().filter(|backend| backend.available()) {
            let (encode, decode) = measure(data, parity, &mut Codec::new(backend));
            parts.push(format!(
                "{{\"backend\":\"{backend:?}\",\"encode_us\":{encode:.2},\"decode_us\":{decode:.2},\
                 \"encode_ratio\":{:.2},\"decode_ratio\":{:.2}}}",
                classic.0 / encode,
                classic.1 / decode
            ));
        }
        blocks.push(format!(
            "{{\"data\":{data},\"parity\":{parity},\"classic_encode_us\":{:.2},\"classic_decode_us\":{:.2},\
             \"backends\":[{}]}}",
            classic.0,
            classic.1,
            parts.join(",")
        ));
    }
    println!("{{\"goal\":\"P1\",\"shard_bytes\":{SHARD},\"blocks\":[{}]}}", blocks.join(",\n"));
}

/// What is measured: both directions over one buffer of shards.
trait Scheme {
    fn encode(&mut self, data: usize, parity: usize, block: &mut [u8]);
    /// The first `parity` data shards are missing.
    fn decode(&mut self, data: usize, parity: usize, block: &mut [u8]);
}

impl Scheme for Codec {
    fn encode(&mut self, data: usize, parity: usize, block: &mut [u8]) {
        let (front, back) = block.split_at_mut(data * SHARD);
        let done = self.encode_stripe((data, parity), Stripe { stride: SHARD, len: SHARD }, front, back);
        assert_eq!(done, Ok(()));
    }

    fn decode(&mut self, data: usize, parity: usize, block: &mut [u8]) {
        let mut present = [true; 255];
        present[..parity.min(data)].fill(false);
        let stripe = Stripe { stride: SHARD, len: SHARD };
        let done = self.repair_stripe(block, stripe, data, &present[..data + parity]);
        assert_eq!(done, Ok(parity.min(data)));
    }
}

/// The classic scheme, written out plainly.
struct Classic;

impl Scheme for Classic {
    fn encode(&mut self, data: usize, parity: usize, block: &mut [u8]) {
        let (front, back) = block.split_at_mut(data * SHARD);
        for (row, out) in back.chunks_exact_mut(SHARD).enumerate() {
            out.fill(0);
            for (column, shard) in front.chunks_exact(SHARD).enumerate() {
                classic::add_product(out, coefficient(parity, row, column), shard);
            }
        }
    }

    fn decode(&mut self, data: usize, parity: usize, block: &mut [u8]) {
        let lost = parity.min(data);
        let (front, back) = block.split_at_mut(data * SHARD);
        for (row, sum) in back.chunks_exact_mut(SHARD).enumerate().take(lost) {
            for (column, shard) in front.chunks_exact(SHARD).enumerate().skip(lost) {
                classic::add_product(sum, coefficient(parity, row, column), shard);
            }
        }
        let mut matrix: Vec<Vec<u8>> =
            (0..lost).map(|row| (0..lost).map(|column| coefficient(parity, row, column)).collect()).collect();
        classic::solve(&mut matrix, back);
        front[..lost * SHARD].copy_from_slice(&back[..lost * SHARD]);
    }
}

mod classic {
    use super::SHARD;
    use punktfunk_fec::gf8::{inverse, multiply};

    /// Gaussian elimination; the rows of the system are the shards of `sums`.
    pub(super) fn solve(matrix: &mut [Vec<u8>], sums: &mut [u8]) {
        for pivot in 0..matrix.len() {
            let scale = inverse(matrix[pivot][pivot]);
            matrix[pivot].iter_mut().for_each(|x| *x = multiply(*x, scale));
            let scaled = sums[pivot * SHARD..][..SHARD].to_vec();
            sums[pivot * SHARD..][..SHARD].fill(0);
            add_product(&mut sums[pivot * SHARD..][..SHARD], scale, &scaled);
            let line = matrix[pivot].clone();
            let shard = sums[pivot * SHARD..][..SHARD].to_vec();
            for row in (0..matrix.len()).filter(|&row| row != pivot) {
                let factor = matrix[row][pivot];
                matrix[row].iter_mut().zip(&line).for_each(|(x, y)| *x ^= multiply(factor, *y));
                add_product(&mut sums[row * SHARD..][..SHARD], factor, &shard);
            }
        }
    }

    /// `out += factor · shard`.
    pub(super) fn add_product(out: &mut [u8], factor: u8, shard: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was just found.
            return unsafe { vector(out, factor, shard) };
        }
        out.iter_mut().zip(shard).for_each(|(out, &byte)| *out ^= multiply(factor, byte));
    }

    /// # Safety
    ///
    /// The processor has AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    unsafe fn vector(out: &mut [u8], factor: u8, shard: &[u8]) {
        use std::arch::x86_64::*;
        let table = |shift: u8| -> [u8; 16] { std::array::from_fn(|n| multiply(factor, (n as u8) << shift)) };
        let (low, high) = (table(0), table(4));
        // SAFETY: the tables are 16 bytes each.
        let (low, high) = unsafe {
            (
                _mm256_broadcastsi128_si256(_mm_loadu_si128(low.as_ptr().cast())),
                _mm256_broadcastsi128_si256(_mm_loadu_si128(high.as_ptr().cast())),
            )
        };
        let mask = _mm256_set1_epi8(15);
        let (chunks, rest) = out.as_chunks_mut::<32>();
        let (inputs, tail) = shard.as_chunks::<32>();
        for (out, input) in chunks.iter_mut().zip(inputs) {
            // SAFETY: both are 32 bytes.
            unsafe {
                let data = _mm256_loadu_si256(input.as_ptr().cast());
                let a = _mm256_shuffle_epi8(low, _mm256_and_si256(data, mask));
                let b = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi64::<4>(data), mask));
                let sum = _mm256_loadu_si256(out.as_ptr().cast());
                let sum = _mm256_xor_si256(sum, _mm256_xor_si256(a, b));
                _mm256_storeu_si256(out.as_mut_ptr().cast(), sum);
            }
        }
        rest.iter_mut().zip(tail).for_each(|(out, &byte)| *out ^= multiply(factor, byte));
    }
}

/// (encode, decode) in µs of thread CPU time per block.
fn measure(data: usize, parity: usize, scheme: &mut dyn Scheme) -> (f64, f64) {
    let mut block: Vec<u8> = (0..(data + parity) * SHARD).map(|i| (i * 131 % 251) as u8).collect();
    scheme.encode(data, parity, &mut block);
    let whole = block.clone();
    block[..parity.min(data) * SHARD].fill(0);
    scheme.decode(data, parity, &mut block);
    assert!(block[..data * SHARD] == whole[..data * SHARD], "a scheme that does not repair is not measured");
    let encode = least(|| scheme.encode(data, parity, black_box(&mut block)));
    let decode = least(|| scheme.decode(data, parity, black_box(&mut block)));
    (encode, decode)
}

fn least(mut work: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let (begin, mut count) = (thread_cpu_ns(), 0u32);
            loop {
                for _ in 0..16 {
                    work();
                }
                count += 16;
                let spent = thread_cpu_ns() - begin;
                if spent > ROUND_NS {
                    return spent as f64 / f64::from(count) / 1000.0;
                }
            }
        })
        .fold(f64::INFINITY, f64::min)
}

/// Time this thread has run, ns. The kernel brings it up to date at each tick.
fn thread_cpu_ns() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
