#pragma once

#include "base/error.h"
#include "base/json.h"
#include "mesh/finding.h"

#include <iosfwd>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::cli {

enum class Colour { kPlain, kColoured };

/// Where words go. stdout is the answer, stderr the narration; nothing else writes to either.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err, Colour err_colour);

  /// The answer, as it is.
  void print(std::string_view text);
  /// One line of narration: "meshtrust: text".
  void say(std::string_view text);
  void warn(std::string_view text);
  /// "meshtrust: error: ..." or "mesh.yaml:7:5: error: ..." with the line and a caret, then hints.
  void show(const base::Error& error);
  void show(std::span<const base::Error> errors);
  /// Findings with their evidence, as errors, warnings and notes.
  void show(std::span<const mesh::Finding> findings);
  /// Narration without a prefix, for progress.
  void narrate(std::string_view text);

  bool is_coloured() const { return err_colour_ == Colour::kColoured; }
  void be_verbose() { verbose_ = true; }
  bool is_verbose() const { return verbose_; }

 private:
  std::ostream& out_;
  std::ostream& err_;
  Colour err_colour_;
  bool verbose_ = false;
  std::mutex mutex_;
};

/// An error as it is shown, ending in a newline.
std::string render(const base::Error& error, Colour colour = Colour::kPlain);
std::string render(const mesh::Finding& finding, Colour colour = Colour::kPlain);

/// Rows in columns, two blanks apart, no blanks at line ends; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view indent = "");

using base::to_yaml;

}  // namespace meshtrust::cli
