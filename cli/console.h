#pragma once

#include "base/error.h"
#include "base/json.h"
#include "mesh/finding.h"

#include <cstddef>
#include <iosfwd>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::cli {

enum class Colour { kPlain, kColoured };

/// Where words go. stdout is the answer, stderr the narration; nothing else writes to either.
///
/// Whatever a text is made of, a terminal obeys nothing in it but line ends, tabs and the colours
/// of this class, and nothing in it goes unseen (`base::printable_lines`). What is said to be one
/// line is one line, so that no value can pose as a line of ours; a text of several lines has its
/// values made so by `table`, `render` or `base::printable`.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err, Colour err_colour);

  /// The answer.
  void print(std::string_view text);
  /// An answer that is a document for programs, byte for byte, whose maker has escaped what it
  /// holds; no copy of it is made.
  void print_document(std::string_view text);
  /// One line of narration: "meshtrust: text".
  void say(std::string_view text);
  void warn(std::string_view text);
  /// "meshtrust: error: ..." or "mesh.yaml:7:5: error: ..." with the line and a caret, then hints.
  void show(const base::Error& error);
  void show(std::span<const base::Error> errors);
  /// Findings with their evidence, as errors, warnings and notes.
  void show(std::span<const mesh::Finding> findings);
  /// One line of narration without a prefix, for progress.
  void tell(std::string_view line);
  /// Narration of several lines, such as a plan.
  void narrate(std::string_view text);
  /// Narration of whole lines in the place of those that were drawn last, which have to be the last
  /// that were written; where `Terminal::can_redraw` alone.
  void redraw(std::string_view text);

  /// Another program has the terminal from here until `take_back`: what it asks a person must not
  /// be wiped away, so nothing is drawn meanwhile, and what was drawn before stays.
  void lend();
  void take_back();

  bool is_coloured() const { return err_colour_ == Colour::kColoured; }
  void be_verbose() { verbose_ = true; }
  bool is_verbose() const { return verbose_; }

 private:
  void write(std::ostream& to, std::string_view text);

  std::ostream& out_;
  std::ostream& err_;
  Colour err_colour_;
  bool verbose_ = false;
  std::mutex mutex_;
  bool is_lent_ = false;   // under the mutex, like `drawn_`
  std::size_t drawn_ = 0;  ///< lines that `redraw` takes back
};

/// An error as it is shown, ending in a newline.
std::string render(const base::Error& error, Colour colour = Colour::kPlain);
std::string render(const mesh::Finding& finding, Colour colour = Colour::kPlain);

/// Rows in columns, two blanks apart, no blanks at line ends; the first row is the heading. Every
/// cell is one line, whatever stands in it.
std::string table(const std::vector<std::vector<std::string>>& given, std::string_view indent = "");

using base::to_yaml;

}  // namespace meshtrust::cli
