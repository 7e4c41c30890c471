#pragma once

#include "base/error.h"
#include "base/json.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

enum class Severity {
  kCritical,  ///< the mesh is broken, or would be; nothing is changed while it stands but by what
              ///< mends it
  kWarning,   ///< works now and will not for ever
  kNote,      ///< worth knowing
};
std::string_view name_of(Severity severity);

/// Something that a person should know about a mesh.
struct Finding {
  std::string code;  ///< stable, e.g. "foreign-cacerts"
  Severity severity = Severity::kCritical;
  std::string cluster;                     ///< empty when it is about the mesh as a whole
  std::string message;                     ///< lower case, found versus wanted
  std::vector<std::string> evidence = {};  ///< what was seen, a fact a line
  std::vector<std::string> hints = {};     ///< what to do next
  base::Place place = {};                  ///< in the mesh file, where it says otherwise
  /// What mends it, or makes it less bad, is a change of trust: that goes on, and nothing else
  /// does.
  bool is_mended_by_change = false;
};

bool has_severity(std::span<const Finding> findings, Severity severity);
/// Whether one of them stands in the way of every change.
bool forbids_change(std::span<const Finding> findings);

base::Json to_json(const Finding& finding);

}  // namespace meshtrust::mesh
