#include "wire/mux_pieces.h"

namespace capsem::wire {

std::span<const std::string_view> MuxPieces::View() {
  view_.clear();
  const std::string_view small = small_;
  size_t seen = 0;
  const auto add = [this](std::string_view piece) {
    if (!piece.empty()) view_.push_back(piece);
  };
  for (const Body& body : bodies_) {
    add(small.substr(seen, body.after - seen));
    add(body.bytes);
    seen = body.after;
  }
  add(small.substr(seen));
  return view_;
}

void MuxPieces::Clear() {
  small_.clear();
  bodies_.clear();
  body_bytes_ = 0;
}

}  // namespace capsem::wire
