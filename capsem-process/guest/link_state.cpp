#include "guest/link_state.h"

#include <fcntl.h>
#include <nettle/sha2.h>

#include <cstring>

#include "base/small_file.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

constexpr std::string_view kMagic = "CAPSLINK";
constexpr uint32_t kVersion = 1;
// Two directions of kMaxInFlight, the table of kMaxChannels, and room for control frames.
constexpr size_t kMaxBytes = 4 * wire::kMaxInFlight;

template <typename T>
void Append(std::string& out, T value) {
  for (size_t i = 0; i < sizeof value; ++i) {
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
  }
}

void AppendBytes(std::string& out, std::string_view bytes) {
  Append(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

template <typename T>
StatusOr<T> Take(std::string_view& in) {
  if (in.size() < sizeof(T)) return DataLoss("the link state ends early");
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(in[i])) << (8 * i);
  }
  in.remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

StatusOr<std::string> TakeBytes(std::string_view& in) {
  const uint32_t size = TRY(Take<uint32_t>(in));
  if (size > in.size()) return DataLoss("the link state ends early");
  std::string bytes(in.substr(0, size));
  in.remove_prefix(size);
  return bytes;
}

std::string Digest(std::string_view bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
  std::string digest(SHA256_DIGEST_SIZE, '\0');
  sha256_digest(&context, digest.size(), reinterpret_cast<uint8_t*>(digest.data()));
  return digest;
}

}  // namespace

std::string EncodeLinkState(const LinkState& state) {
  std::string bytes(kMagic);
  Append(bytes, kVersion);
  Append(bytes, state.identity.link_id);
  Append(bytes, static_cast<uint8_t>(state.established));
  AppendBytes(bytes, state.identity.secret);
  AppendBytes(bytes, state.control_out);
  AppendBytes(bytes, state.mux);
  return bytes + Digest(bytes);
}

StatusOr<LinkState> DecodeLinkState(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + SHA256_DIGEST_SIZE || bytes.size() > kMaxBytes) {
    return DataLoss("the link state has {} bytes", bytes.size());
  }
  std::string_view in = bytes.substr(0, bytes.size() - SHA256_DIGEST_SIZE);
  if (Digest(in) != bytes.substr(in.size())) return DataLoss("the link state's digest is wrong");
  if (in.substr(0, kMagic.size()) != kMagic) return DataLoss("this is not a link state");
  in.remove_prefix(kMagic.size());
  const uint32_t version = TRY(Take<uint32_t>(in));
  if (version != kVersion)
    return DataLoss("the link state has version {}, not {}", version, kVersion);
  LinkState state;
  state.identity.link_id = TRY(Take<uint64_t>(in));
  state.established = TRY(Take<uint8_t>(in)) != 0;
  state.identity.secret = TRY(TakeBytes(in));
  state.control_out = TRY(TakeBytes(in));
  state.mux = TRY(TakeBytes(in));
  if (!in.empty()) return DataLoss("the link state has {} bytes too many", in.size());
  return state;
}

Status WriteLinkState(const std::string& path, const LinkState& state) {
  return WriteSmallFile(path, EncodeLinkState(state));
}

StatusOr<LinkState> ReadLinkState(const std::string& path) {
  auto state = DecodeLinkState(TRY(ReadSmallFile(AT_FDCWD, path, kMaxBytes)));
  if (!state.ok()) return Annotate(state.status(), "{}", path);
  return state;
}

}  // namespace capsem::process
