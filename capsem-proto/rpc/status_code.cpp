#include "rpc/status_code.h"

#include <absl/strings/cord.h>

#include "capsem/v1/common.pb.h"

namespace capsem::rpc {
namespace {

// The message and the details both carry the cause, and gRPC takes 8 KiB of trailers,
// percent-encoded.
constexpr size_t kMaxText = 1024;

constexpr char kGrpcsOwn[] = "capsem.grpcs_own";

// How many bytes the UTF-8 sequence at the front of `text` has; 0 = none starts here.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, UTF-16 surrogates and what lies above U+10FFFF.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

// "NOT_FOUND" → "NotFound", as the contract writes codes.
std::string CodeName(StatusCode code) {
  std::string name;
  bool upper = true;
  for (const char c : absl::StatusCodeToString(code)) {
    if (c != '_') name += upper ? c : static_cast<char>(c - 'A' + 'a');
    upper = c == '_';
  }
  return name;
}

std::string Clean(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (clean.size() + length > kMaxText) break;
    clean += length == 0 ? std::string_view("?") : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

}  // namespace

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  v1::Error error;
  error.set_code(CodeName(status.code()));
  error.set_cause(Clean(Message(status)));
  error.set_remedy(Clean(Remedy(status)));
  return {static_cast<grpc::StatusCode>(status.code()), error.cause(), error.SerializeAsString()};
}

Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return OkStatus();
  Status plain = MakeStatus(static_cast<StatusCode>(status.error_code()), status.error_message());
  v1::Error error;
  const std::string details = status.error_details();
  if (details.empty()) {
    plain.SetPayload(kGrpcsOwn, absl::Cord());
    return plain;
  }
  const bool ours = error.ParseFromString(details);
  return ours && !error.remedy().empty() ? WithRemedy(plain, error.remedy()) : plain;
}

bool IsGrpcsOwn(const Status& status) { return status.GetPayload(kGrpcsOwn).has_value(); }

}  // namespace capsem::rpc
