#include "cli/console.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace meshtrust::cli {
namespace {

using base::one_line;

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kReset = "\x1b[0m";

std::string coloured(std::string_view text, std::string_view escape, Colour colour) {
  if (colour == Colour::kPlain) return std::string(text);
  return fmt::format("{}{}{}", escape, text, kReset);
}

std::string prefix_of(const base::Place& place) {
  if (place.file.empty()) return "meshtrust";
  if (place.line == 0) return one_line(place.file);
  return fmt::format("{}:{}:{}", one_line(place.file), place.line, place.column);
}

/// A line of somebody's file: nothing in it is obeyed but tabs, which carets are lined up with.
std::string visible_line(std::string_view line) {
  std::vector<std::string> parts = base::split(line, '\t');
  for (std::string& part : parts) {
    part = base::one_line(part);
  }
  return base::join(parts, "\t");
}

std::string caret_of(const base::Place& place) {
  if (place.source_line.empty() || place.line == 0) return {};
  constexpr std::size_t kLongestLine = 400;
  const std::string_view line = place.source_line;
  const auto column = static_cast<std::size_t>(std::max(place.column - 1, 0));
  // Longer lines are no lines for people, and the caret would be off every screen.
  if (line.size() > kLongestLine) {
    return fmt::format("    {}\n", base::printable(line, kLongestLine));
  }
  std::string pad(4, ' ');
  for (const char c : visible_line(line.substr(0, column))) {
    pad += c == '\t' ? '\t' : ' ';
  }
  return fmt::format("    {}\n{}^\n", visible_line(line), pad);
}

std::string hints_of(const base::Place& place, const std::vector<std::string>& hints) {
  std::string text;
  for (const std::string& hint : hints) {
    text += fmt::format("{}: hint: {}\n", prefix_of(place), one_line(hint));
  }
  return text;
}

}  // namespace

Console::Console(std::ostream& out, std::ostream& err, Colour err_colour)
    : out_(out), err_(err), err_colour_(err_colour) {}

void Console::write(std::ostream& to, std::string_view text) {
  const std::lock_guard guard(mutex_);
  to << text << std::flush;
}

void Console::print(std::string_view text) {
  write(out_, base::printable_lines(text));
}

void Console::print_document(std::string_view text) {
  write(out_, text);
}

void Console::tell(std::string_view line) {
  write(err_, one_line(line) + "\n");
}

void Console::narrate(std::string_view text) {
  write(err_, base::printable_lines(text));
}

void Console::redraw(std::string_view text) {
  constexpr std::string_view kLineAbove = "\x1b[1A\x1b[2K";
  const std::lock_guard guard(mutex_);
  if (is_lent_) return;
  for (; drawn_ > 0; --drawn_) {
    err_ << kLineAbove;
  }
  const std::string lines = base::printable_lines(text);
  drawn_ = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  err_ << lines << std::flush;
}

void Console::lend() {
  const std::lock_guard guard(mutex_);
  is_lent_ = true;
  drawn_ = 0;
}

void Console::take_back() {
  const std::lock_guard guard(mutex_);
  is_lent_ = false;
}

void Console::say(std::string_view text) {
  write(err_, fmt::format("meshtrust: {}\n", one_line(text)));
}

void Console::warn(std::string_view text) {
  write(err_, fmt::format("meshtrust: {} {}\n", coloured("warning:", kYellow, err_colour_),
                          one_line(text)));
}

void Console::show(const base::Error& error) {
  write(err_, render(error, err_colour_));
}

void Console::show(std::span<const base::Error> errors) {
  for (const base::Error& error : errors) {
    show(error);
  }
}

void Console::show(std::span<const mesh::Finding> findings) {
  for (const mesh::Finding& finding : findings) {
    write(err_, render(finding, err_colour_));
  }
}

std::string render(const base::Error& error, Colour colour) {
  return fmt::format("{}: {} {}\n{}{}", prefix_of(error.place), coloured("error:", kRed, colour),
                     one_line(error.message), caret_of(error.place),
                     hints_of(error.place, error.hints));
}

std::string render(const mesh::Finding& finding, Colour colour) {
  const bool critical = finding.severity == mesh::Severity::kCritical;
  const std::string label = critical ? coloured("error:", kRed, colour)
                            : finding.severity == mesh::Severity::kWarning
                                ? coloured("warning:", kYellow, colour)
                                : "note:";
  const std::string prefix = prefix_of(finding.place);
  std::string text = fmt::format("{}: {} {}{} [{}]\n{}", prefix, label,
                                 finding.cluster.empty() ? "" : one_line(finding.cluster) + ": ",
                                 one_line(finding.message), finding.code, caret_of(finding.place));
  for (const std::string& fact : finding.evidence) {
    text += fmt::format("{}: seen: {}\n", prefix, one_line(fact));
  }
  return text + hints_of(finding.place, finding.hints);
}

std::string table(const std::vector<std::vector<std::string>>& given, std::string_view indent) {
  std::vector<std::vector<std::string>> rows = given;
  std::vector<std::size_t> widths;
  for (auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = one_line(row[i]);
      widths[i] = std::max(widths[i], base::display_width(row[i]));
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - base::display_width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace meshtrust::cli
