//! Nothing is lost between the hook and the rows, also when the map is full.

use agent_common::{
    loss::LOSS_NETWORK_FULL,
    network::{MAX_SHARDS, Traffic},
};
use anyhow::{Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::Test,
    net::{
        meter::{Meter, plus, row, same, sent},
        pair::{Family, Pair},
    },
};

use super::{NEEDS, Scene, hear};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "network_more_cgroups_than_room",
        needs: NEEDS,
        run: more_cgroups_than_room,
    },
    Test {
        name: "network_many_cgroups",
        needs: NEEDS,
        run: many_cgroups,
    },
];

const ROOM: u32 = 16;
const CGROUPS: usize = 160;
const BYTES: u64 = 100 + 28;

struct Crowd {
    /// Below the sender's.
    cgroups: Vec<TestCgroup>,
    scene: Scene,
}

impl Crowd {
    fn new() -> Result<Self> {
        // Inside `ip netns exec` the cgroups can't be seen.
        let scene = Scene::on(Pair::with_host()?)?;
        let member = |number| scene.sender.child(&format!("member-{number}"));
        let cgroups = (0..CGROUPS).map(member).collect::<Result<_>>()?;
        Ok(Self { cgroups, scene })
    }

    /// One datagram from a socket of each cgroup.
    fn speak(&self) -> Result<()> {
        let (_sink, address) = self.scene.sink("udp", Family::V4)?;
        let mut arguments = vec![address.as_str(), "100"];
        let directories = self.cgroups.iter().map(|cgroup| cgroup.directory.to_str());
        arguments.extend(directories.flatten());
        let mut roaming = self.scene.send("net-udp-roam", &arguments)?;
        hear(&mut roaming, "sent")
    }
}

/// Packets without an account are told as a loss, and are in the total and in what is unattributed.
fn more_cgroups_than_room() -> Result<()> {
    let crowd = Crowd::new()?;
    let mut meter = Meter::with(|options| options.max_accounts = Some(ROOM))?;
    crowd.speak()?;
    let all = CGROUPS as u64;
    meter.expect(|snapshot| {
        let rows = crowd.cgroups.iter().map(|cgroup| row(snapshot, cgroup.id));
        let rows: Vec<_> = rows.filter(|row| row.tx_packets > 0).collect();
        ensure!(
            rows.iter().all(|row| *row == sent(1, BYTES)),
            "not one packet each: {rows:?}"
        );
        let unattributed = snapshot.network_totals.unattributed;
        let attributed = rows.into_iter().fold(Traffic::default(), plus);
        let both = plus(attributed, unattributed);
        // Others on the machine may have found no room either.
        ensure!(both.tx_packets >= all, "only {} sent", both.tx_packets);
        ensure!(both.tx_bytes >= all * BYTES, "only {} bytes", both.tx_bytes);
        ensure!(
            attributed.tx_packets <= u64::from(ROOM),
            "{} cgroups in {ROOM} places",
            attributed.tx_packets
        );
        let losses = snapshot.losses[LOSS_NETWORK_FULL as usize];
        ensure!(losses >= all - u64::from(ROOM), "{losses} losses were told");
        let packets = unattributed.tx_packets + unattributed.rx_packets;
        ensure!(losses <= packets, "{losses} losses of {packets} packets");
        Ok(())
    })?;
    Ok(())
}

/// With room for all, each has its own packet and nothing else.
fn many_cgroups() -> Result<()> {
    let crowd = Crowd::new()?;
    let room = 4 * MAX_SHARDS * u32::try_from(CGROUPS)?;
    let mut meter = Meter::with(|options| options.max_accounts = Some(room))?;
    crowd.speak()?;
    meter.expect(|snapshot| {
        for cgroup in &crowd.cgroups {
            same("sent", row(snapshot, cgroup.id), sent(1, BYTES))?;
        }
        same("losses", snapshot.losses[LOSS_NETWORK_FULL as usize], 0)?;
        let unattributed = snapshot.network_totals.unattributed;
        same("unattributed", unattributed, Traffic::default())
    })?;
    Ok(())
}
