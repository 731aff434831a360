//! What pods do, and what people ask for them.

use rand::Rng as _;

use super::{
    plan::{MIB, Plan},
    random::{between, pick},
    workload::{Size, Work, Workload},
};

impl Plan<'_> {
    /// Half of the pods do next to nothing, and few do much.
    pub(super) fn work(&mut self) -> Work {
        let rng = &mut self.rng;
        let cores = match rng.random_range(0..100) {
            0..50 => between(rng, 0.0005, 0.008),
            50..88 => between(rng, 0.008, 0.12),
            _ => between(rng, 0.12, 0.8),
        };
        let beyond = if rng.random_ratio(1, 3) {
            rng.random_range(0.05..0.8)
        } else {
            0.0
        };
        Work {
            cores,
            day: rng.random_range(0.0..0.8),
            bursts: if rng.random_ratio(1, 4) {
                rng.random_range(0.01..0.25)
            } else {
                0.002
            },
            burst_cores: between(rng, 0.3, 4.0).max(2.0 * cores),
            packets: between(rng, 200.0, 6_000.0),
            traffic: [
                rng.random_range(0.2..1.0),
                rng.random_range(0.2..1.5),
                if rng.random_ratio(1, 10) { 0.2 } else { 0.0 },
                beyond,
                if rng.random_ratio(1, 8) { 0.5 } else { 0.0 },
            ],
            is_probed: rng.random_ratio(4, 5),
            memory_bytes: (between(rng, 24.0, 700.0) * MIB) as i64,
            leak_bytes: 0,
            writes: if rng.random_ratio(1, 5) { 3e5 } else { 0.0 },
        }
    }

    /// Steps that people write, most often far above what is needed and sometimes below.
    pub(super) fn size(&mut self, work: &Work) -> Size {
        const STEPS: [i64; 10] = [10, 25, 50, 100, 200, 250, 500, 1_000, 2_000, 4_000];
        let rng = &mut self.rng;
        if rng.random_ratio(1, 25) {
            return Size::default();
        }
        let wanted = work.cores * 1e3 * between(rng, 0.6, 12.0);
        let step = |wanted: f64| STEPS.iter().copied().find(|step| *step as f64 >= wanted);
        let cpu = step(wanted).unwrap_or(4_000);
        let power = |bytes: f64| 1_i64 << (bytes.log2().ceil() as i64).clamp(25, 34);
        let memory = power(work.memory_bytes as f64 * between(rng, 0.7, 3.0));
        let fits = power(work.memory_bytes as f64 * 1.6);
        if rng.random_ratio(1, 12) {
            let memory = memory.max(fits);
            return Size {
                requests_cpu_millicores: Some(cpu),
                requests_memory_bytes: Some(memory),
                limits_cpu_millicores: Some(cpu),
                limits_memory_bytes: Some(memory),
            };
        }
        let has_limit = rng.random_ratio(2, 5);
        Size {
            requests_cpu_millicores: Some(cpu),
            requests_memory_bytes: Some(memory),
            limits_cpu_millicores: has_limit.then_some((cpu * pick(rng, &[1, 2, 4])).max(100)),
            limits_memory_bytes: Some(memory.max(fits)),
        }
    }

    /// Reaches its limit within hours, again and again.
    pub(super) fn leak(&mut self, workload: &mut Workload) {
        let limit = workload.size.limits_memory_bytes.unwrap_or(1 << 30);
        workload.size.limits_memory_bytes = Some(limit);
        let room = (limit - workload.work.memory_bytes).max(limit / 8) as f64;
        workload.work.leak_bytes = (room / self.rng.random_range(1.5..7.0)) as i64;
    }
}
