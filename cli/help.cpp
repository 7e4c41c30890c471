#include "cli/help.h"

#include "base/text.h"
#include "cli/exit_code.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <vector>

namespace meshtrust::cli {
namespace {

std::string flags_of(const CLI::App& app) {
  std::vector<std::vector<std::string>> rows;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() || option->check_lname("help")) continue;
    std::string name = option->get_name(false, true);
    for (std::size_t at = name.find(','); at != std::string::npos; at = name.find(',', at + 2)) {
      name.insert(at + 1, " ");
    }
    const std::string& value = option->get_option_text();
    rows.push_back(
        {value.empty() ? name : fmt::format("{} {}", name, value), option->get_description()});
  }
  std::string text;
  for (const auto& row : rows) {
    text += row[0].size() > 28 ? fmt::format("  {}\n  {:28}  {}\n", row[0], "", row[1])
                               : fmt::format("  {:28}  {}\n", row[0], row[1]);
  }
  return text;
}

std::string usage_of(const CommandEntry& entry, const CLI::App& app) {
  std::string usage = fmt::format("  meshtrust {}", entry.name);
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string& shown = option->get_option_text();
    usage += " " + (shown.empty() ? option->get_name(true) : shown);
  }
  return usage + " [flags]\n";
}

}  // namespace

std::string wrapped(std::string_view text, std::string_view indent) {
  constexpr std::size_t kWidth = 78;
  std::string out;
  for (const std::string& paragraph : base::split(text, '\n')) {
    std::string line(indent);
    for (const std::string& word : base::split(paragraph, ' ')) {
      if (line.size() > indent.size() && line.size() + 1 + word.size() > kWidth) {
        out += line + "\n";
        line = indent;
      }
      if (line.size() > indent.size()) line += ' ';
      line += word;
    }
    if (line.size() == indent.size()) line.clear();
    out += line + "\n";
  }
  return out;
}

std::string overview() {
  std::string text =
      "meshtrust - certificate authority and trust bootstrap for multi-cluster Istio\n\n"
      "From kubeconfigs to proved trust:\n"
      "  meshtrust init --from-contexts east,west\n"
      "  meshtrust apply --only trust\n"
      "  meshtrust verify\n";
  std::string_view group;
  for (const CommandEntry& entry : commands()) {
    if (entry.group != group) text += fmt::format("\n{}\n", entry.group);
    group = entry.group;
    text += fmt::format("  {:<20} {}\n", entry.name, entry.summary);
  }
  return text + "\nmeshtrust COMMAND --help tells the rest.\n";
}

std::string help_of(const CommandEntry& entry, const CLI::App& app, const CLI::App& root) {
  std::string text = fmt::format("meshtrust {} - {}\n\nUSAGE\n{}", entry.name, entry.summary,
                                 usage_of(entry, app));
  text += "\n" + wrapped(entry.details, "  ");
  const std::string flags = flags_of(app);
  if (!flags.empty()) text += "\nFLAGS\n" + flags;
  text += "\nFLAGS OF EVERY COMMAND\n" + flags_of(root);
  text += "\nEXAMPLES\n";
  for (const Example& example : entry.examples) {
    text += fmt::format("  {}:\n    $ {}\n", example.purpose, example.command);
  }
  text += "\nEXIT CODES (of several, the first in this list)\n";
  for (const ExitCodeMeaning& row : exit_code_table()) {
    text += fmt::format("  {:>3}  {}\n", static_cast<int>(row.code), row.meaning);
  }
  text +=
      "\nENVIRONMENT\n"
      "  KUBECONFIG, HOME              kubeconfigs, by kubectl's rules\n"
      "  MESHTRUST_PASSWORD            passphrase of the root key\n"
      "  MESHTRUST_<FLAG>              any flag, e.g. MESHTRUST_FILE; not the words that waive\n"
      "                                safety: yes, force, insecure, no-password, allow-exec,\n"
      "                                allow-credential-files, allow-unsupported,\n"
      "                                insecure-skip-tls-verify\n"
      "  NO_COLOR, CI                  plain output; CI also means that nobody can be asked\n";
  if (!entry.files.empty()) {
    text += "\nFILES\n";
    for (const std::string_view file : entry.files) {
      text += fmt::format("  {}\n", file);
    }
  }
  return text;
}

}  // namespace meshtrust::cli
