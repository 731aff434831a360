//! Paths of all drivers, runtimes and parents, recorded and made up.

use super::*;

const UID: &str = "cd22a29b-98a6-4985-b4ee-10c3224c2f1c";
const UNDERSCORED: &str = "cd22a29b_98a6_4985_b4ee_10c3224c2f1c";
const HASH: &str = "3b6f592f3e4ffc4b400a5d43d66cecf1";
const ID: &str = "4a2178db9ad5fc28ff0f243e76ff8911e2c38cc47ef996b2c4415c3d07f5ceb6";
const OTHER_ID: &str = "221e3c63456e4c07abef13c8ed36c2b2b47d1f9bdbf369abc98950f947855a34";
const OTHER_UID: &str = "7ca0d821-a09a-4f14-b621-65203500a0f9";

/// `{u}` uid, `{_}` with underscores, `{h}` hash, `{i}` and `{j}` ids, `{o}` another uid.
fn fill(template: &str) -> String {
    let values = [
        ("{u}", UID),
        ("{_}", UNDERSCORED),
        ("{h}", HASH),
        ("{i}", ID),
        ("{j}", OTHER_ID),
        ("{o}", OTHER_UID),
    ];
    values
        .iter()
        .fold(template.to_owned(), |text, (mark, value)| {
            text.replace(mark, value)
        })
}

/// A pod's own cgroup, what lies below it, and what that is.
type Case = (
    &'static str,
    &'static str,
    Qos,
    Option<&'static str>,
    Runtime,
);

const CASES: &[Case] = {
    use Qos::{BestEffort, Burstable, Guaranteed};
    use Runtime::{Containerd, CriO, Docker, Unknown};
    &[
        // The systemd driver.
        (
            "/kubepods.slice/kubepods-pod{_}.slice",
            "",
            Guaranteed,
            None,
            Unknown,
        ),
        (
            "/kubepods.slice/kubepods-pod{_}.slice",
            "/",
            Guaranteed,
            None,
            Unknown,
        ),
        (
            "/kubepods.slice/kubepods-pod{_}.slice",
            "/cri-containerd-{i}.scope",
            Guaranteed,
            Some(ID),
            Containerd,
        ),
        (
            "kubepods.slice/kubepods-pod{_}.slice",
            "/cri-containerd-{i}.scope",
            Guaranteed,
            Some(ID),
            Containerd,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice",
            "/crio-{i}.scope",
            Burstable,
            Some(ID),
            CriO,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice",
            "/crio-{i}.scope/container",
            Burstable,
            Some(ID),
            CriO,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice",
            "/crio-conmon-{i}.scope",
            Burstable,
            None,
            Unknown,
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{_}.slice",
            "/docker-{i}.scope",
            BestEffort,
            Some(ID),
            Docker,
        ),
        // Cgroups that a container makes, another container's name among them.
        (
            "/kubepods.slice/kubepods-pod{_}.slice",
            "/cri-containerd-{i}.scope/init.scope",
            Guaranteed,
            Some(ID),
            Containerd,
        ),
        (
            "/kubepods.slice/kubepods-pod{_}.slice",
            "/cri-containerd-{i}.scope/docker/{j}",
            Guaranteed,
            Some(ID),
            Containerd,
        ),
        // The cgroupfs driver.
        ("/kubepods/pod{u}", "", Guaranteed, None, Unknown),
        ("/kubepods/pod{u}", "/{i}", Guaranteed, Some(ID), Unknown),
        (
            "/kubepods/burstable/pod{u}",
            "/{i}/child",
            Burstable,
            Some(ID),
            Unknown,
        ),
        (
            "/kubepods/besteffort/pod{u}",
            "/crio-{i}",
            BestEffort,
            Some(ID),
            CriO,
        ),
        (
            "/kubepods/besteffort/pod{u}",
            "/crio-conmon-{i}",
            BestEffort,
            None,
            Unknown,
        ),
        (
            "/kubepods/besteffort/pod{u}",
            "/kata_{i}",
            BestEffort,
            Some(ID),
            Unknown,
        ),
        // kind, in which a container is the node.
        (
            "/docker/{j}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{_}.slice",
            "/cri-containerd-{i}.scope",
            Guaranteed,
            Some(ID),
            Containerd,
        ),
        (
            "/system.slice/docker-{j}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{_}.slice",
            "/cri-containerd-{i}.scope",
            Burstable,
            Some(ID),
            Containerd,
        ),
        (
            "/docker/{j}/kubelet/kubepods/besteffort/pod{u}",
            "/{i}",
            BestEffort,
            Some(ID),
            Unknown,
        ),
        // Roots of the kubelet's own.
        (
            "/custom.slice/custom-kubepods.slice/custom-kubepods-pod{_}.slice",
            "/crio-{i}.scope",
            Guaranteed,
            Some(ID),
            CriO,
        ),
        (
            "/a.slice/a-b.slice/a-b-kubepods.slice/a-b-kubepods-besteffort.slice/a-b-kubepods-besteffort-pod{_}.slice",
            "",
            BestEffort,
            None,
            Unknown,
        ),
        (
            "/custom/root/kubepods/burstable/pod{u}",
            "/{i}",
            Burstable,
            Some(ID),
            Unknown,
        ),
        // Kubelet and runtime at odds over the driver: the container is no child of its pod.
        (
            "/system.slice/containerd.service/kubepods-burstable-pod{_}.slice:cri-containerd:{i}",
            "",
            Burstable,
            Some(ID),
            Containerd,
        ),
        (
            "/kubepods-besteffort-pod{_}.slice:cri-containerd:{i}",
            "/nested",
            BestEffort,
            Some(ID),
            Containerd,
        ),
    ]
};

#[test]
fn pods_are_found_in_the_paths_of_all_drivers_and_runtimes() {
    for &(own, below, qos, container, runtime) in CASES {
        for (text, uid) in [(own.to_owned(), UID), (hashed(own), HASH)] {
            let own = fill(&text);
            let path = format!("{own}{}", fill(below));
            let expected = PodPath {
                uid: uid.into(),
                qos,
                container,
                runtime,
                pod_end: own.len(),
            };
            assert_eq!(pod_paths(&path).collect::<Vec<_>>(), [expected], "{path}");
        }
    }
}

/// The same for a static pod.
fn hashed(template: &str) -> String {
    template.replace("{_}", "{h}").replace("{u}", "{h}")
}

#[test]
fn what_is_no_pod_is_none() {
    let paths = [
        "",
        "/",
        "//",
        "/kubepods.slice",
        "/kubepods.slice/kubepods-burstable.slice",
        "/kubepods/burstable",
        "/kubepods/burstable/pod",
        "/kubepods/pod",
        "/system.slice/podman.service",
        "/system.slice/pod-agent.service",
        "/user.slice/pod12.slice",
        "/user.slice/user-pod{_}.slice",
        "/pod{u}",
        "/machine.slice/pod{u}",
        "/burstable/pod{u}",
        "/kubepods/other/pod{u}",
        "/mykubepods/pod{u}",
        "/kubepods/burstable/besteffort/pod{u}",
        "/kubepods.slice/mykubepods-pod{_}.slice",
        "/system.slice/crio-conmon-{i}.scope",
        "/docker/{i}",
        // Uids of another shape.
        "/kubepods/podcd22a29b",
        "/kubepods/pod{u}0",
        "/kubepods/pod{_}",
        "/kubepods/podCD22A29B-98A6-4985-B4EE-10C3224C2F1C",
        "/kubepods/podcd22a29b-98a6-4985-b4ee-10c3224c2f1g",
        "/kubepods/podcd22a29b-98a6-4985-b4ee10c3224c2f1c0-",
        "/kubepods/pod{h}0",
        "/kubepods.slice/kubepods-pod{u}.slice",
        "/kubepods.slice/kubepods-pod{_}",
        "/kubepods.slice/kubepods-pod{_}.slicer",
        "/kubepods.slice/kubepods-pod{_}.scope",
        "/kubepods/pod\u{e9}\u{e9}\u{e9}\u{e9}",
    ];
    for path in paths.map(fill) {
        assert_eq!(pod_path(&path), None, "{path}");
    }
}

#[test]
fn what_is_no_container_is_the_pods() {
    let children = [
        "cri-containerd-4a2178db.scope",
        "cri-containerd-{i}0.scope",
        "cri-containerd-.scope",
        "crio-conmon-{i}.scope",
        "libpod-conmon-{i}.scope",
        "container{i}",
        "",
    ];
    for child in children.map(fill) {
        let path = fill(&format!("/kubepods/burstable/pod{{u}}/{child}"));
        let pod = pod_path(&path).unwrap();
        assert_eq!(
            (pod.container, pod.runtime),
            (None, Runtime::Unknown),
            "{path}"
        );
    }
}

#[test]
fn a_cluster_in_a_pod_is_told_after_the_pod() {
    let path = fill(
        "/kubepods.slice/kubepods-pod{_}.slice/cri-containerd-{i}.scope/kubelet.slice/\
         kubelet-kubepods.slice/kubelet-kubepods-pod7ca0d821_a09a_4f14_b621_65203500a0f9.slice/\
         cri-containerd-{j}.scope/nested",
    );
    let pods: Vec<PodPath<'_>> = pod_paths(&path).collect();
    let told: Vec<_> = pods.iter().map(|pod| (&*pod.uid, pod.container)).collect();
    assert_eq!(told, [(UID, Some(ID)), (OTHER_UID, Some(OTHER_ID))]);
    assert!(path[..pods[0].pod_end].ends_with(&fill("/kubepods-pod{_}.slice")));
    assert!(path[..pods[1].pod_end].ends_with("65203500a0f9.slice"));
    assert_eq!(pod_path(&path).unwrap().uid, UID);
}

#[test]
fn a_path_that_may_be_cut_names_no_pod() {
    let path = |bytes: usize| {
        let end = fill("/kubepods/pod{u}/{i}");
        format!("/{}{end}", "x".repeat(bytes - 1 - end.len()))
    };
    assert!(pod_path(&path(PATH_BYTES - 2)).is_some());
    assert_eq!(pod_path(&path(PATH_BYTES - 1)), None);
}

/// All cgroups that hold processes on a real node, and all below its `kubepods.slice`.
#[test]
fn each_cgroup_of_a_recorded_node_is_what_it_was() {
    let recorded = include_str!("../../../tests/data/node/cgroups.txt");
    let (mut pods, mut containers) = (0, 0);
    for path in recorded.lines() {
        let pod = pod_path(path);
        assert_eq!(pod.is_some(), path.contains("-pod"), "{path}");
        let Some(pod) = pod else { continue };
        pods += usize::from(pod.container.is_none());
        containers += usize::from(pod.container.is_some());
        let is_in_container = path.contains("cri-containerd-");
        assert_eq!(
            pod.runtime == Runtime::Containerd,
            is_in_container,
            "{path}"
        );
        assert_eq!(path[pod.pod_end..].is_empty(), !is_in_container, "{path}");
        assert!(path.contains(&pod.uid.replace('-', "_")), "{path}");
        assert_eq!(
            path.contains(pod.qos.name()),
            pod.qos != Qos::Guaranteed,
            "{path}"
        );
    }
    assert_eq!((pods, containers), (16, 30));
}

/// Parts of real paths in any order never panic, nor does a cut at any byte.
#[test]
fn no_path_panics() {
    let parts = [
        "kubepods",
        "burstable",
        "/",
        "//",
        "-",
        "pod",
        "{u}",
        "{_}",
        "{h}",
        ".slice",
        ".slice:",
        ":",
        "kubepods-pod",
        ".scope",
        "{i}",
        "crio-",
        "conmon-",
        "\u{e9}",
        "\u{0}",
        "\u{1f642}",
        "_",
    ];
    let parts = parts.map(fill);
    let mut random = 1_u64;
    for _ in 0..20_000 {
        let mut path = String::new();
        for _ in 0..12 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            path.push_str(&parts[(random >> 33) as usize % parts.len()]);
        }
        for pod in pod_paths(&path) {
            assert!(path.get(..pod.pod_end).is_some(), "{path}");
        }
    }
    for &(own, below, ..) in CASES {
        let path = fill(&format!("{own}{below}\u{e9}"));
        for end in 0..path.len() {
            if let Some(path) = path.get(..end) {
                pod_paths(path).for_each(drop);
            }
        }
    }
}
