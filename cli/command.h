#pragma once

#include "cli/session.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// A command: declares its options, then runs. One object serves one call.
class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  virtual void declare(CLI::App& app) = 0;
  /// An exit code. Everything that went wrong has been said on the console.
  virtual int run(Session& session) = 0;
};

struct Example {
  std::string_view purpose;
  std::string_view command;
};

/// What is known of a command before it runs; help is made of this.
struct CommandEntry {
  std::string_view name;     ///< "apply", "ca create"
  std::string_view group;    ///< heading in the overview
  std::string_view summary;  ///< one line
  std::string_view details;  ///< a paragraph or two
  std::vector<Example> examples;
  std::vector<std::string_view> files;  ///< read or written
  std::unique_ptr<Command> (*make)();
};

/// All commands, in the order of the overview.
std::span<const CommandEntry> commands();

template <class T>
std::unique_ptr<Command> make_command() {
  return std::make_unique<T>();
}

}  // namespace meshtrust::cli
