#include "mesh/finding.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::kCritical:
      return "critical";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      break;
  }
  return "note";
}

bool has_severity(std::span<const Finding> findings, Severity severity) {
  return std::any_of(findings.begin(), findings.end(),
                     [severity](const Finding& one) { return one.severity == severity; });
}

bool forbids_change(std::span<const Finding> findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& one) {
    return one.severity == Severity::kCritical && !one.is_mended_by_change;
  });
}

base::Json to_json(const Finding& finding) {
  base::Json json = {{"code", finding.code},
                     {"severity", name_of(finding.severity)},
                     {"message", finding.message},
                     {"evidence", finding.evidence},
                     {"hints", finding.hints}};
  if (!finding.cluster.empty()) json["cluster"] = finding.cluster;
  if (finding.place.line != 0) {
    json["place"] = {{"file", finding.place.file},
                     {"line", finding.place.line},
                     {"column", finding.place.column}};
  }
  return json;
}

}  // namespace meshtrust::mesh
