//! What a packet weighs: its length as IP, and the headers that segmentation will add to it.

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext,
};

const ETH_P_IP: u32 = 0x0800_u16.to_be() as u32;
const ETH_P_IPV6: u32 = 0x86dd_u16.to_be() as u32;
const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_ROUTING: u8 = 43;
const IPPROTO_DSTOPTS: u8 = 60;
const UDP_HEADER: u32 = 8;
const TLV_JUMBO: u8 = 0xc2;
const JUMBO_HEADER: u32 = 8;
/// Extension headers looked behind for the transport header.
const EXTENSIONS: u32 = 4;

/// Direction of a packet, seen from the socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Egress,
    Ingress,
}

/// Bytes and packets as they will be, or were, on the wire.
pub(crate) struct Weight {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
}

/// The address of the other end; IPv4 in the low half.
pub(crate) enum Peer {
    V4([u8; 4]),
    V6([u8; 16]),
    None,
}

#[inline(always)]
fn skb(ctx: &SkBuffContext) -> *mut __sk_buff {
    ctx.skb.skb
}

/// Bytes at `offset` of the IP header.
#[inline(always)]
fn load<T>(ctx: &SkBuffContext, offset: u32) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes `size_of::<T>()` bytes or fails; T is an integer or bytes.
    unsafe {
        let status = bpf_skb_load_bytes(
            skb(ctx).cast(),
            offset,
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        );
        (status == 0).then(|| value.assume_init())
    }
}

/// Like [`load`], by a plain load where the packet's head reaches that far (it nearly always does).
#[inline(always)]
fn load_head<T: Copy>(ctx: &SkBuffContext, offset: u32) -> Option<T> {
    // SAFETY: the verifier checks the access against data_end.
    unsafe {
        let data = (*skb(ctx)).data as usize;
        let end = (*skb(ctx)).data_end as usize;
        let at = data + offset as usize;
        if at + size_of::<T>() <= end {
            return Some(core::ptr::read_unaligned(at as *const T));
        }
    }
    load(ctx, offset)
}

#[inline(always)]
pub(crate) fn ifindex(ctx: &SkBuffContext) -> u32 {
    // SAFETY: a field of the context.
    unsafe { (*skb(ctx)).ifindex }
}

#[inline(always)]
pub(crate) fn peer(ctx: &SkBuffContext, direction: Direction) -> Peer {
    let source = direction == Direction::Ingress;
    // SAFETY: a field of the context.
    match unsafe { (*skb(ctx)).protocol } {
        ETH_P_IP => load_head(ctx, if source { 12 } else { 16 }).map_or(Peer::None, Peer::V4),
        ETH_P_IPV6 => load_head(ctx, if source { 8 } else { 24 }).map_or(Peer::None, Peer::V6),
        _ => Peer::None,
    }
}

#[inline(always)]
pub(crate) fn weight(ctx: &SkBuffContext) -> Weight {
    // SAFETY: fields of the context.
    let (bytes, segments, size) =
        unsafe { ((*skb(ctx)).len, (*skb(ctx)).gso_segs, (*skb(ctx)).gso_size) };
    if size == 0 {
        return Weight {
            bytes: u64::from(bytes),
            packets: 1,
        };
    }
    segmented(ctx, bytes, segments, size)
}

/// What a packet that is to be segmented carries in front of its payload.
struct Headers {
    /// Bytes that every segment has.
    each: u32,
    /// Bytes that no segment has.
    jumbo: u32,
}

/// Every segment but the first brings headers that `bytes` does not hold. Out of line: in line its
/// bulk would lie in every packet's way.
#[inline(never)]
fn segmented(ctx: &SkBuffContext, bytes: u32, segments: u32, size: u32) -> Weight {
    let Headers { each, jumbo } = headers(ctx).unwrap_or(Headers { each: 0, jumbo: 0 });
    let bytes = bytes.saturating_sub(jumbo);
    // A guest may be handed packets whose segment count was left at 0.
    let segments = if segments == 0 {
        bytes.saturating_sub(each).div_ceil(size)
    } else {
        segments
    };
    let packets = u64::from(if segments == 0 { 1 } else { segments });
    Weight {
        bytes: u64::from(bytes) + (packets - 1) * u64::from(each),
        packets,
    }
}

#[inline(always)]
fn headers(ctx: &SkBuffContext) -> Option<Headers> {
    // SAFETY: a field of the context.
    match unsafe { (*skb(ctx)).protocol } {
        ETH_P_IP => {
            let version_length: u8 = load(ctx, 0)?;
            let offset = u32::from(version_length & 15) * 4;
            let each = transport_end(ctx, load(ctx, 9)?, offset)?;
            Some(Headers { each, jumbo: 0 })
        }
        ETH_P_IPV6 => {
            let mut protocol: u8 = load(ctx, 6)?;
            let mut offset = 40;
            // BIG TCP: the length of such a packet is in an extension header that the kernel takes
            // away before it segments.
            let jumbo = if protocol == IPPROTO_HOPOPTS && load(ctx, 42) == Some(TLV_JUMBO) {
                JUMBO_HEADER
            } else {
                0
            };
            for _ in 0..EXTENSIONS {
                match protocol {
                    IPPROTO_HOPOPTS | IPPROTO_ROUTING | IPPROTO_DSTOPTS => {
                        let [next, units]: [u8; 2] = load(ctx, offset)?;
                        protocol = next;
                        offset += (u32::from(units) + 1) * 8;
                    }
                    _ => break,
                }
            }
            let each = transport_end(ctx, protocol, offset)?.saturating_sub(jumbo);
            Some(Headers { each, jumbo })
        }
        _ => None,
    }
}

#[inline(always)]
fn transport_end(ctx: &SkBuffContext, protocol: u8, offset: u32) -> Option<u32> {
    match protocol {
        IPPROTO_TCP => {
            let data_offset: u8 = load(ctx, offset + 12)?;
            Some(offset + u32::from(data_offset >> 4) * 4)
        }
        IPPROTO_UDP => Some(offset + UDP_HEADER),
        _ => Some(offset),
    }
}
