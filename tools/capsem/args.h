// Command lines as data: what a verb takes is declared, parsing is one function, and every
// complaint names the word that is wrong.
//
// Options may stand anywhere before the words that belong to the guest's command (Verb::own_words);
// `--` ends them. `--name=value` and `--name value` are the same, and so are `-it` and `-i -t`. All
// words must be UTF-8, for the API's texts are.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace capsem::cli {

struct Option {
  std::string_view names;  // "-e, --env"; the last one is what Args calls it
  std::string_view value;  // what help calls its value; "" = a flag
  std::string_view help;
};

class Args {
 public:
  static constexpr size_t kAllWords = SIZE_MAX;

  // `own_words`: after so many words the rest, whatever it looks like, is the guest's command.
  // InvalidArgument says what is wrong and how help is asked for. --help and -h are always known.
  static StatusOr<Args> Parse(const std::vector<std::string>& words,
                              const std::vector<Option>& options, size_t own_words);

  bool Flag(std::string_view name) const { return values_.count(name) > 0; }
  // The last one given; nullopt when none was.
  std::optional<std::string> Text(std::string_view name) const;
  std::vector<std::string> Texts(std::string_view name) const;
  // InvalidArgument: no whole number.
  StatusOr<std::optional<uint32_t>> Number(std::string_view name) const;
  // InvalidArgument: the same, or 0, where the API's 0 would mean its default.
  StatusOr<std::optional<uint32_t>> Count(std::string_view name) const;
  // Seconds with decimals, up to `most`; 0 is none.
  StatusOr<std::optional<std::chrono::milliseconds>> Seconds(std::string_view name,
                                                             std::chrono::seconds most) const;
  const std::vector<std::string>& words() const { return words_; }

 private:
  friend class ArgsParser;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> words_;
};

// InvalidArgument when words were given to a verb that takes none: nobody shall think that they
// meant something.
Status NoWords(const Args& args, std::string_view verb);
// A number with decimals and nothing else; nullopt when it is not one, or not finite.
std::optional<double> ParseDecimal(std::string_view text);
bool IsUtf8(std::string_view text);

}  // namespace capsem::cli
