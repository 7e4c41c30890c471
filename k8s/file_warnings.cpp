#include "k8s/file_warnings.h"

namespace meshtrust::k8s {

std::optional<std::string> warn_if_others_can_read(const std::filesystem::path& path,
                                                   base::Files& files) {
  std::error_code problem;
  const std::filesystem::path target = std::filesystem::canonical(path, problem);
  const auto facts = files.facts(problem ? path : target);
  if (!facts || facts->kind != base::FileKind::kFile || (facts->mode & 044U) == 0) {
    return std::nullopt;
  }
  return "'" + path.string() + "' holds keys or tokens and others may read it: 'chmod 600 " +
         path.string() + "'";
}

}  // namespace meshtrust::k8s
