#include "define/native_command.h"

#include <algorithm>

namespace capsem::service {
namespace {

// The words of a POSIX shell command as libvirt quotes them: bare, in '…', in "…" and after \.
// Anything that a shell would act upon is refused.
class ShellWords {
 public:
  explicit ShellWords(std::string_view text) : text_(text) {}

  StatusOr<std::vector<std::string>> Split() {
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (c == ' ' || c == '\n') {
        EndWord();
      } else if (c == '\'' || c == '"') {
        TRY(Quoted(c));
      } else if (c == '\\') {
        TRY(Backslash());
      } else if (std::string_view("$`;&|<>()*?#~!\t").find(c) != std::string_view::npos) {
        return Internal("libvirt's command has an unquoted {} at byte {}", c, position_ - 1);
      } else {
        Add(c);
      }
    }
    EndWord();
    return std::move(words_);
  }

 private:
  void Add(char c) {
    word_ += c;
    in_word_ = true;
  }

  void EndWord() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }

  Status Backslash() {
    if (position_ == text_.size()) return Internal("libvirt's command ends in a backslash");
    // A newline after it only folds the line.
    if (text_[position_] != '\n') Add(text_[position_]);
    ++position_;
    return OkStatus();
  }

  Status Quoted(char quote) {
    in_word_ = true;
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (c == quote) return OkStatus();
      if (c == '\\' && quote == '"') {
        TRY(Backslash());
      } else {
        word_ += c;
      }
    }
    return Internal("libvirt's command ends within quotes");
  }

  std::string_view text_;
  size_t position_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
};

bool IsAssignment(std::string_view word) {
  const size_t equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 && word.find('/') > equals;
}

}  // namespace

StatusOr<NativeCommand> ParseNativeCommand(std::string_view text) {
  const std::vector<std::string> words = TRY(ShellWords(text).Split());
  auto word = std::find_if_not(words.begin(), words.end(), IsAssignment);
  if (word == words.end()) return Internal("libvirt's command names no emulator");
  NativeCommand command;
  command.emulator = *word;
  for (++word; word != words.end(); ++word) {
    const bool is_option = word->size() > 1 && word->front() == '-';
    if (is_option) {
      command.options.push_back({*word, std::nullopt});
    } else if (command.options.empty() || command.options.back().value) {
      return Internal("libvirt's command has a word without an option: {}", *word);
    } else {
      command.options.back().value = *word;
    }
  }
  return command;
}

KeyValues KeyValues::Parse(std::string_view text) {
  KeyValues result;
  std::string item;
  const auto end_item = [&] {
    const size_t equals = item.find('=');
    if (equals == std::string::npos) {
      result.items_.emplace_back("", std::move(item));
    } else {
      result.items_.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    }
    item.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      item += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      item += text[i++];
    } else {
      end_item();
    }
  }
  end_item();
  return result;
}

std::optional<std::string_view> KeyValues::Find(std::string_view key) const {
  for (const auto& [name, value] : items_) {
    if (name == key) return value;
  }
  return std::nullopt;
}

void KeyValues::Set(std::string_view key, std::string_view value) {
  for (auto& [name, old] : items_) {
    if (name != key) continue;
    old = value;
    return;
  }
  items_.emplace_back(key, value);
}

std::string KeyValues::Text() const {
  std::string text;
  for (const auto& [key, value] : items_) {
    if (!text.empty()) text += ',';
    if (!key.empty()) text += key + "=";
    for (const char c : value) text += c == ',' ? ",," : std::string(1, c);
  }
  return text;
}

}  // namespace capsem::service
