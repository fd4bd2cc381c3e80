#include "machine/text_tail.h"

#include <vector>

namespace capsem::process {
namespace {

constexpr char kEscape = '\x1b';

bool IsFinalByte(char c) { return c >= '@' && c <= '~'; }

// How many bytes the terminal sequence at the start of `text` takes: ESC [ … letter, or ESC and one
// more.
size_t SequenceLength(std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] != '[') return 2;
  for (size_t i = 2; i < text.size(); ++i) {
    if (IsFinalByte(text[i])) return i + 1;
  }
  return text.size();
}

}  // namespace

std::string CleanLine(std::string_view line) {
  std::string clean;
  for (size_t i = 0; i < line.size() && clean.size() < TextTail::kLineBytes;) {
    const char c = line[i];
    if (c == kEscape) {
      i += SequenceLength(line.substr(i));
      continue;
    }
    if (c == '\t') clean += ' ';
    if (c >= ' ' && c <= '~') clean += c;
    if (static_cast<unsigned char>(c) >= 0x80) clean += '?';
    ++i;
  }
  while (!clean.empty() && clean.back() == ' ') clean.pop_back();
  return clean;
}

void TextTail::Append(std::string_view bytes) {
  if (bytes.size() >= kBytes) {
    bytes_.assign(bytes.substr(bytes.size() - kBytes));
    return;
  }
  bytes_.append(bytes);
  if (bytes_.size() > kBytes) bytes_.erase(0, bytes_.size() - kBytes);
}

std::string TextTail::LastLines(size_t count) const {
  std::vector<std::string> lines;
  std::string_view rest = bytes_;
  while (lines.size() < count && !rest.empty()) {
    const size_t newline = rest.rfind('\n');
    const std::string_view line =
        newline == std::string_view::npos ? rest : rest.substr(newline + 1);
    rest = rest.substr(0, newline == std::string_view::npos ? 0 : newline);
    if (std::string clean = CleanLine(line); !clean.empty()) lines.push_back(std::move(clean));
  }
  std::string text;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (!text.empty()) text += '\n';
    text += *line;
  }
  return text;
}

std::string TextTail::LineWith(std::string_view needle) const {
  const std::string_view text = bytes_;
  const size_t at = text.rfind(needle);
  if (at == std::string_view::npos) return {};
  return CleanLine(text.substr(at, text.find('\n', at) - at));
}

}  // namespace capsem::process
