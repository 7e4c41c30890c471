#include "cli/program.h"

#include "base/text.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/help.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <map>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;

/// The words that waive safety are said on the command line or not at all.
bool waives_safety(std::string_view flag) {
  constexpr std::array<std::string_view, 8> kWords{"yes",
                                                   "force",
                                                   "insecure",
                                                   "insecure-skip-tls-verify",
                                                   "no-password",
                                                   "allow-exec",
                                                   "allow-credential-files",
                                                   "allow-unsupported"};
  return std::find(kWords.begin(), kWords.end(), flag) != kWords.end();
}

/// Lets MESHTRUST_<FLAG> stand for a flag that is not given.
void bind_environment(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty()) continue;
    std::string name = option->get_lnames().front();
    if (name == "help" || name == "version" || waives_safety(name)) continue;
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    });
    option->envname("MESHTRUST_" + name);
  }
}

void declare_global(CLI::App& root, GlobalOptions& options) {
  root.add_option("-f,--file", options.file, "mesh file (default mesh.yaml)")->option_text("FILE");
  root.add_option("--kubeconfig", options.kubeconfig, "use this kubeconfig alone")
      ->option_text("FILE");
  root.add_option("-o,--output", options.output, "form of the answer: text, wide, json, yaml, name")
      ->option_text("FORM");
  root.add_flag("--yes", options.yes, "do it without asking");
  root.add_option("--timeout", options.timeout, "per condition waited for (default 10m)")
      ->option_text("TIME");
  root.add_option("--jobs", options.jobs, "clusters worked on at the same time (default 16)")
      ->check(CLI::Range(1, 256))
      ->option_text("N");
  root.add_option("--progress", options.progress, "auto, plain, json or none")
      ->option_text("STYLE");
  root.add_option("--reason", options.reason, "why this is done; goes into the ledger")
      ->option_text("TEXT");
  root.add_flag("-v,--verbose", options.verbose, "explain decisions");
}

/// The commands as CLI11 sees them, with the object behind each.
class CommandLine {
 public:
  explicit CommandLine(GlobalOptions& options) : root_("", "meshtrust") {
    root_.set_help_flag("-h,--help", "show help");
    root_.fallthrough();
    declare_global(root_, options);
    bind_environment(root_);
    for (const CommandEntry& entry : commands()) {
      add(entry);
    }
  }

  /// Parses, and gives the command that was meant, or null for the overview.
  Result<const CommandEntry*> parse(const std::vector<std::string>& arguments) {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
      root_.parse(reversed);
    } catch (const CLI::CallForHelp&) {
      wants_help_ = true;
      const auto entry = chosen();
      const bool is_stray = entry && *entry == nullptr && !root_.remaining(true).empty();
      if (is_stray) return base::fail(unknown(arguments));
    } catch (const CLI::ParseError& problem) {
      return base::fail(explain(problem, arguments));
    }
    return chosen();
  }

  bool wants_help() const { return wants_help_; }
  Command& command_of(const CommandEntry& entry) { return *bound_.at(&entry).command; }
  std::string help(const CommandEntry& entry) const {
    return help_of(entry, *bound_.at(&entry).app, root_);
  }

 private:
  struct Bound {
    CLI::App* app = nullptr;
    std::unique_ptr<Command> command;
  };

  void add(const CommandEntry& entry) {
    CLI::App* parent = &root_;
    std::string name(entry.name);
    if (const auto blank = name.find(' '); blank != std::string::npos) {
      const std::string group = name.substr(0, blank);
      name.erase(0, blank + 1);
      parent = group_called(group);
    }
    CLI::App* app = parent->add_subcommand(name, std::string(entry.summary));
    app->set_help_flag("-h,--help", "show help");
    app->fallthrough();
    Bound bound{.app = app, .command = entry.make()};
    bound.command->declare(*app);
    bind_environment(*app);
    bound_.emplace(&entry, std::move(bound));
  }

  /// The parent of "ca create" and its siblings.
  CLI::App* group_called(const std::string& name) {
    CLI::App*& group = groups_[name];
    if (group == nullptr) {
      group = root_.add_subcommand(name);
      group->set_help_flag("-h,--help", "show help");
      group->fallthrough();
    }
    return group;
  }

  Result<const CommandEntry*> chosen() const {
    for (const CommandEntry& entry : commands()) {
      if (bound_.at(&entry).app->parsed()) return &entry;
    }
    for (const CLI::App* group : root_.get_subcommands()) {
      if (wants_help_) return static_cast<const CommandEntry*>(nullptr);
      return base::fail(Code::kUsage, fmt::format("'{}' needs another word", group->get_name()),
                        "it takes one of: " + words_after(group->get_name()));
    }
    return static_cast<const CommandEntry*>(nullptr);
  }

  static std::string words_after(const std::string& group) {
    std::vector<std::string> words;
    for (const CommandEntry& entry : commands()) {
      if (entry.name.starts_with(group + " ")) {
        words.emplace_back(entry.name.substr(group.size() + 1));
      }
    }
    return base::join(words, ", ");
  }

  /// A parse error in the words of this house.
  Error explain(const CLI::ParseError& problem, const std::vector<std::string>& arguments) const {
    Error error{.code = Code::kUsage, .message = {}, .hints = {}};
    const auto entry = chosen();
    const std::string help =
        entry && *entry != nullptr
            ? fmt::format("'meshtrust {} --help' shows what it takes", (*entry)->name)
            : std::string("'meshtrust --help' lists the commands");
    if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
      error = unknown(arguments);
      error.hints.pop_back();
    } else {
      error.message = problem.what();
      // Words begin in lower case; names such as CLUSTER stay what they are.
      const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
      if (error.message.size() > 1 && is_upper(error.message[0]) && !is_upper(error.message[1])) {
        error.message[0] = static_cast<char>(error.message[0] - 'A' + 'a');
      }
    }
    error.hints.push_back(help);
    return error;
  }

  Error unknown(const std::vector<std::string>& arguments) const {
    Error error{.code = Code::kUsage, .message = {}, .hints = {}};
    const std::string word = unknown_word(arguments);
    error.message = fmt::format("unknown {} '{}'", word.starts_with('-') ? "flag" : "word", word);
    if (const auto meant = base::nearest(word, known_words())) {
      error.hints.push_back(fmt::format("did you mean '{}'?", *meant));
    }
    error.hints.emplace_back("'meshtrust --help' lists the commands");
    return error;
  }

  std::string unknown_word(const std::vector<std::string>& arguments) const {
    std::vector<std::string> left = root_.remaining(true);
    if (!left.empty()) return left.front();
    return arguments.empty() ? "" : arguments.front();
  }

  std::vector<std::string> known_words() const {
    std::vector<std::string> words;
    const auto add_flags = [&words](const CLI::App& app) {
      for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
          words.push_back("--" + name);
        }
      }
    };
    add_flags(root_);
    for (const auto& [entry, bound] : bound_) {
      if (bound.app->parsed()) add_flags(*bound.app);
      words.emplace_back(entry->name.substr(0, entry->name.find(' ')));
      if (const auto blank = entry->name.find(' '); blank != std::string_view::npos) {
        words.emplace_back(entry->name.substr(blank + 1));
      }
    }
    return words;
  }

  CLI::App root_;
  std::map<std::string, CLI::App*> groups_;
  std::map<const CommandEntry*, Bound> bound_;
  bool wants_help_ = false;
};

Result<Output> parse_output(const std::string& text) {
  static const std::map<std::string, Output> kForms{{"text", Output::kText},
                                                    {"wide", Output::kWide},
                                                    {"json", Output::kJson},
                                                    {"yaml", Output::kYaml},
                                                    {"name", Output::kName}};
  const auto found = kForms.find(text);
  if (found != kForms.end()) return found->second;
  return base::fail(Code::kUsage, fmt::format("unknown output form '{}'", text),
                    "use text, wide, json, yaml or name");
}

Result<ProgressStyle> parse_progress(const std::string& text) {
  static const std::map<std::string, ProgressStyle> kStyles{{"auto", ProgressStyle::kAuto},
                                                            {"plain", ProgressStyle::kPlain},
                                                            {"json", ProgressStyle::kJson},
                                                            {"none", ProgressStyle::kNone}};
  const auto found = kStyles.find(text);
  if (found != kStyles.end()) return found->second;
  return base::fail(Code::kUsage, fmt::format("unknown progress style '{}'", text),
                    "use auto, plain, json or none");
}

base::Status fill_session(Session& session) {
  MESHTRUST_TRY(session.output, parse_output(session.options.output));
  MESHTRUST_TRY(session.progress, parse_progress(session.options.progress));
  const auto timeout = base::parse_duration(session.options.timeout);
  if (!timeout) {
    return base::fail(Code::kUsage, "--timeout: " + timeout.error().message);
  }
  session.timeout = *timeout;
  if (session.options.verbose) session.console().be_verbose();
  return {};
}

int run_parsed(const std::vector<std::string>& arguments, Surroundings& around) {
  if (arguments.size() == 1 && arguments.front() == "--version") {
    around.console.print("meshtrust " MESHTRUST_VERSION "\n");
    return kDone;
  }
  GlobalOptions options;
  CommandLine line(options);
  const auto entry = line.parse(arguments);
  if (!entry) {
    around.console.show(entry.error());
    return kUsage;
  }
  if (*entry == nullptr) {
    around.console.print(overview());
    return line.wants_help() || arguments.empty() ? kDone : kUsage;
  }
  if (line.wants_help()) {
    around.console.print(line.help(**entry));
    return kDone;
  }
  Session session{.around = around,
                  .options = options,
                  .command = "meshtrust " + base::join(arguments, " "),
                  .name = std::string((*entry)->name)};
  if (auto status = fill_session(session); !status) {
    around.console.show(status.error());
    return exit_code_of(status.error().code);
  }
  return line.command_of(**entry).run(session);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, Surroundings& around) {
  try {
    return run_parsed(arguments, around);
  } catch (const std::exception& problem) {
    around.console.show(
        Error{.code = Code::kInternal,
              .message = fmt::format("unexpected: {}", problem.what()),
              .hints = {"this is a bug in meshtrust; nothing is left half-done: run "
                        "the same command again to see where things stand"}});
    return kFailure;
  }
}

}  // namespace meshtrust::cli
