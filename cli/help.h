#pragma once

#include "cli/command.h"

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// What the tool is for and its commands by group.
std::string overview();

/// One command: usage, flags, examples, exit codes, environment, files. `app` has its options
/// declared; `root` holds the flags that every command has.
std::string help_of(const CommandEntry& entry, const CLI::App& app, const CLI::App& root);

/// Text wrapped at 78 columns, every line indented, paragraphs kept.
std::string wrapped(std::string_view text, std::string_view indent);

}  // namespace meshtrust::cli
