//! P2 and P3: encode and decode against the unmodified reed-solomon-simd, in the same
//! run. Prints one JSON object; times are thread CPU time, µs per block, the least of
//! several rounds. Both sides begin with shards in a datagram batch and end with the
//! result in one; both have seen the size before.

use std::hint::black_box;

use punktfunk_fec::gf16::{Backend, Decoder, Encoder, Shards, ShardsMut};
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

const SHARD: usize = 1392;
const STRIDE: usize = SHARD + 46;
const ROUNDS: usize = 5;
const ROUND_NS: u64 = 30_000_000;

/// (data, parity, lost shards that are tried)
const BLOCKS: [(usize, usize, &[usize]); 5] = [
    (8, 2, &[1, 2]),
    (32, 8, &[1, 4, 8]),
    (100, 20, &[1, 4, 10, 20]),
    (200, 55, &[1, 10, 40, 55]),
    (1000, 200, &[1, 10, 40, 120, 200]),
];

fn main() {
    let mut rows = Vec::new();
    for (k, m, losses) in BLOCKS {
        let mut block = Block::new(k, m);
        let stock = least(|| block.stock_encode());
        for backend in backends() {
            let mut encoder = Encoder::with(backend);
            let ours = least(|| block.encode(&mut encoder));
            rows.push(row((k, m), "encode", backend, stock, ours));
        }
        for &lost in losses {
            let stock = least(|| block.stock_decode(lost));
            for backend in backends() {
                let mut decoder = Decoder::with(backend);
                let ours = least(|| block.decode(&mut decoder, lost));
                rows.push(row((k, m), &format!("decode, {lost} lost"), backend, stock, ours));
            }
        }
    }
    println!(
        "{{\"goals\":\"P2: decode ≥ 30 at 8+2, ≥ 8 at 32+8, ≥ 3 at 100+20, one lost of 100+20 ≤ 15 µs; \
         P3: encode ≥ 1.5 with Gfni512, ≥ 1 with Avx2\",\"peer\":\"reed-solomon-simd 3.1\",\
         \"shard_bytes\":{SHARD},\"rows\":[{}]}}",
        rows.join(",\n")
    );
}

fn row((k, m): (usize, usize), case: &str, backend: Backend, stock: f64, ours: f64) -> String {
    format!(
        "{{\"block\":\"{k}+{m}\",\"case\":\"{case}\",\"backend\":\"{backend:?}\",\"stock_us\":{stock:.2},\
         \"ours_us\":{ours:.2},\"ratio\":{:.2}}}",
        stock / ours
    )
}

fn backends() -> impl Iterator<Item = Backend> {
    Backend::ALL.into_iter().filter(|backend| backend.available())
}

struct Block {
    k: usize,
    m: usize,
    data: Vec<u8>,
    parity: Vec<u8>,
    indices: Vec<u16>,
    have: Vec<bool>,
    stock_encoder: ReedSolomonEncoder,
    stock_decoder: ReedSolomonDecoder,
}

impl Block {
    /// A block whose parity was found to be that of the peer.
    fn new(k: usize, m: usize) -> Self {
        let mut block = Self {
            k,
            m,
            data: (0..k * STRIDE).map(|i| (i * 131 % 251) as u8).collect(),
            parity: vec![0; m * STRIDE],
            indices: (0..m as u16).collect(),
            have: vec![true; k],
            stock_encoder: ReedSolomonEncoder::new(k, m, SHARD).expect("the peer takes this size"),
            stock_decoder: ReedSolomonDecoder::new(k, m, SHARD).expect("the peer takes this size"),
        };
        block.stock_encode();
        let expected = block.parity.clone();
        block.parity.fill(0);
        block.encode(&mut Encoder::new());
        assert!(block.parity == expected, "what differs is not measured");
        block
    }

    fn encode(&mut self, encoder: &mut Encoder) {
        let data = Shards::new(&self.data, self.k, SHARD, STRIDE).expect("they fit");
        let parity = ShardsMut::new(black_box(&mut self.parity), self.m, SHARD, STRIDE).expect("they fit");
        assert_eq!(encoder.encode(data, parity), Ok(()));
    }

    fn stock_encode(&mut self) {
        for shard in self.data.chunks_exact(STRIDE) {
            self.stock_encoder.add_original_shard(&shard[..SHARD]).expect("it is of the block");
        }
        let result = self.stock_encoder.encode().expect("all shards are there");
        for (to, from) in black_box(&mut self.parity).chunks_exact_mut(STRIDE).zip(result.recovery_iter()) {
            to[..SHARD].copy_from_slice(from);
        }
    }

    /// The first `lost` data shards are missing, and all parity is there.
    fn decode(&mut self, decoder: &mut Decoder, lost: usize) {
        self.have[..lost].fill(false);
        let data = ShardsMut::new(black_box(&mut self.data), self.k, SHARD, STRIDE).expect("they fit");
        let parity = Shards::new(&self.parity, self.m, SHARD, STRIDE).expect("they fit");
        let done = decoder.decode_strided(data, &self.have, parity, &self.indices, self.m);
        assert_eq!(done, Ok(()));
        self.have.fill(true);
    }

    fn stock_decode(&mut self, lost: usize) {
        for (i, shard) in self.data.chunks_exact(STRIDE).enumerate().skip(lost) {
            self.stock_decoder.add_original_shard(i, &shard[..SHARD]).expect("it is of the block");
        }
        for (i, shard) in self.parity.chunks_exact(STRIDE).enumerate() {
            self.stock_decoder.add_recovery_shard(i, &shard[..SHARD]).expect("it is of the block");
        }
        let result = self.stock_decoder.decode().expect("enough shards are there");
        for (i, from) in result.restored_original_iter() {
            black_box(&mut self.data)[i * STRIDE..][..SHARD].copy_from_slice(from);
        }
    }
}

fn least(mut work: impl FnMut()) -> f64 {
    // As many at a time as make looking at the clock cheap.
    let mut batch = 1;
    loop {
        let begin = thread_cpu_ns();
        (0..batch).for_each(|_| work());
        if thread_cpu_ns() - begin > ROUND_NS / 8 {
            break;
        }
        batch *= 2;
    }
    (0..ROUNDS)
        .map(|_| {
            let (begin, mut count) = (thread_cpu_ns(), 0u32);
            loop {
                (0..batch).for_each(|_| work());
                count += batch;
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
