#include "k8s/file_warnings.h"

#include "base/text.h"

namespace meshtrust::k8s {

std::optional<std::string> warn_if_others_can_read(const std::filesystem::path& path,
                                                   base::Files& files) {
  std::error_code problem;
  const std::filesystem::path target = std::filesystem::canonical(path, problem);
  const auto facts = files.facts(problem ? path : target);
  if (!facts || facts->kind != base::FileKind::kFile || (facts->mode & 044U) == 0) {
    return std::nullopt;
  }
  const std::string shown = base::printable(path.string(), 4'096);
  return "'" + shown + "' holds keys or tokens and others may read it: 'chmod 600 " + shown + "'";
}

}  // namespace meshtrust::k8s
