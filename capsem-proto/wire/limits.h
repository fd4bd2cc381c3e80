// Sizes, counts and grace times that two processes must agree on; each with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace capsem::wire {

// Versions of the guest link that this build speaks (GuestHello). The host speaks every one since
// the first release.
inline constexpr uint32_t kProtocolMin = 1;
inline constexpr uint32_t kProtocolMax = 2;
// The first one in which a command may have a terminal and a user.
inline constexpr uint32_t kProtocolTerminals = 2;
// Versions of process.v1 (Introduce): of capsem-process, and of the service that adopts it after an
// upgrade. The service speaks every one since the first release.
inline constexpr uint32_t kProcessProtocolMin = 1;
inline constexpr uint32_t kProcessProtocolMax = 1;

// CID 2 is the host (AF_VSOCK); the port is ours; a source port below 1024 takes root in the guest.
inline constexpr uint32_t kHostCid = 2;
inline constexpr uint32_t kGuestCid = 3;
inline constexpr uint32_t kLinkPort = 5000;
inline constexpr uint32_t kPrivilegedPorts = 1024;

// A peer that has not proven itself by then is dropped; at most four such peers wait at a time.
inline constexpr std::chrono::seconds kHelloTimeout{5};
inline constexpr size_t kMaxUnproven = 4;
// The guest is asked for a sign of life so often, and has until the next time. Its agent answers
// before anything else it does, but sixteen emulated machines may share two processors.
inline constexpr std::chrono::seconds kHeartbeat{30};
inline constexpr size_t kNonceBytes = 32;
inline constexpr size_t kSecretBytes = 32;

// One link (architecture §4).
inline constexpr size_t kMaxChannels = 1024;  // opened by each side
// What Linux puts into one packet, 64 KiB at the most, but so much less that header, headroom and
// skb_shared_info (44 + 320 bytes, and room to grow) have a place in the same 64 KiB: one byte
// more, and for each packet it takes and clears 128 KiB, a tenth of what sending costs an emulated
// guest.
inline constexpr size_t kVsockPacket = 64 * 1024 - 512;
inline constexpr size_t kMuxHeader = 12;
inline constexpr size_t kMuxBlock = kVsockPacket - kMuxHeader;  // with its header one packet
// What each end of a vsock connection buffers, 256 KiB where nobody asks: the guest halted between
// two rounds, and each half of it costs a packet that says so, and an interrupt.
inline constexpr uint32_t kVsockBuffer = 1024 * 1024;
// Credit: bytes in flight or unconsumed on one channel. Full packets, and no more than vsock has on
// its way: it would take the last ones in pieces, of which the rest is copied.
inline constexpr size_t kChannelWindow = 16 * kMuxBlock;
inline constexpr size_t kMaxInFlight = 8 * 1024 * 1024;  // of all channels together, per direction
inline constexpr size_t kMaxMuxPayload = 64 * 1024;      // of one multiplexer frame
inline constexpr size_t kMaxMetadata = 4 * 1024;         // said when a channel is opened

// wire/frame payloads.
inline constexpr size_t kMaxHandshake =
    64 * 1024;  // 1,024 channels × about 20 bytes in a resume, twice over
inline constexpr size_t kMaxControlFrame =
    256 * 1024;  // env of 256 × … is checked against this by the service
inline constexpr size_t kMaxExecStart = 2 * 1024 * 1024;  // argv 1 MiB + env 512 KiB + protobuf
inline constexpr size_t kMaxExecData = 64 * 1024;         // one STDIN, STDOUT or STDERR frame

// Commands (capsem/v1/execs.proto).
inline constexpr size_t kMaxArgBytes = 128 * 1024 - 1;  // Linux: MAX_ARG_STRLEN, less its NUL
inline constexpr size_t kMaxArgs = 4096;
inline constexpr size_t kMaxArgvBytes =
    1024 * 1024;  // Linux allows 2 MiB (a quarter of the 8 MiB stack) with env
inline constexpr size_t kMaxEnvVars = 256;
inline constexpr size_t kMaxEnvBytes = 128 * 1024;  // of all variables of one request together
inline constexpr size_t kMaxExecs = 1000;           // running in one machine
// What is kept of a command's output (architecture §5): in memory, and with the file.
inline constexpr size_t kExecSpoolMemory = 1024 * 1024;
inline constexpr size_t kExecSpool = 64 * 1024 * 1024;
// So many later ones may end before what has ended is forgotten; and so much may their files take.
inline constexpr size_t kFinishedExecs = 256;
inline constexpr size_t kFinishedSpools = 1024 * 1024 * 1024;
inline constexpr uint32_t kMaxTerminalSide = 65535;  // Linux: struct winsize
inline constexpr size_t kMaxTermBytes = 64;          // names of terminals: "screen.xterm-256color"

// Files (capsem/v1/files.proto).
inline constexpr size_t kMaxPathBytes = 4095;         // Linux: PATH_MAX, less its NUL
inline constexpr size_t kMaxNameBytes = 255;          // Linux: NAME_MAX
inline constexpr size_t kMaxFileData = 64 * 1024;     // one DATA frame
inline constexpr size_t kMaxFileMessage = 64 * 1024;  // any other: a request has two paths at most
inline constexpr size_t kMaxFileEntries = 32 * 1024;  // of one ENTRIES frame, before the last entry
inline constexpr size_t kMaxFileCalls =
    24;  // at a time in one machine: what commands leave of its channels

// How long a capsem-process goes on without a service (architecture §2): what a restart of the
// daemon takes, and an upgrade of its package.
inline constexpr std::chrono::milliseconds kOrphanLease{10'000};

// Sessions.
inline constexpr uint32_t kMinCpus = 1, kMaxCpus = 8;
inline constexpr uint32_t kMinMemoryMib = 256, kMaxMemoryMib = 16384;
inline constexpr uint32_t kMinDiskGib = 1, kMaxDiskGib = 1024;  // of one session's disk
inline constexpr uint32_t kMaxRunningSessions = 10;
inline constexpr uint64_t kDiskBytes = uint64_t{16} << 30;    // virtual size of a session's disk
inline constexpr uint64_t kMinFreeBytes = uint64_t{2} << 30;  // creates are refused below this

}  // namespace capsem::wire
