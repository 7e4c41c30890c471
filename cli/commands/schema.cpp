#include "profiles/schema.h"

#include "cli/commands/commands.h"
#include "cli/exit_code.h"

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

class SchemaCommand final : public Command {
 public:
  void declare(CLI::App& /*app*/) override {}

  int run(Session& session) override {
    const base::Json schema = profiles::mesh_schema();
    session.answer(schema, base::pretty(schema));
    return kDone;
  }
};

class VersionCommand final : public Command {
 public:
  void declare(CLI::App& /*app*/) override {}

  int run(Session& session) override {
    session.answer(
        {{"apiVersion", "meshtrust/v1"}, {"kind", "Version"}, {"version", MESHTRUST_VERSION}},
        "meshtrust " MESHTRUST_VERSION "\n");
    return kDone;
  }
};

}  // namespace

CommandEntry schema_command() {
  return {.name = "schema",
          .group = "Files and keys",
          .summary = "print the JSON Schema of the mesh file",
          .details =
              "For editors and pipelines. What the schema accepts, the loader accepts, but for "
              "rules that compare entries with each other, such as unique names.",
          .examples = {{"Save it", "meshtrust schema > mesh.schema.json"},
                       {"Let an editor use it: first line of mesh.yaml",
                        "# yaml-language-server: $schema=mesh.schema.json"},
                       {"As YAML", "meshtrust schema -o yaml"}},
          .files = {},
          .make = make_command<SchemaCommand>};
}

CommandEntry version_command() {
  return {.name = "version",
          .group = "Files and keys",
          .summary = "print the version",
          .details = "The version of this program.",
          .examples = {{"For people", "meshtrust version"},
                       {"For scripts", "meshtrust version -o json"},
                       {"The usual flag", "meshtrust --version"}},
          .files = {},
          .make = make_command<VersionCommand>};
}

}  // namespace meshtrust::cli
