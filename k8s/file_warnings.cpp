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

std::string hint_for_path(std::string_view path) {
  const auto is_letter = [](char one) {
    return (one >= 'A' && one <= 'Z') || (one >= 'a' && one <= 'z');
  };
  if (path.size() > 2 && is_letter(path[0]) && path[1] == ':' &&
      (path[2] == '\\' || path[2] == '/')) {
    return "that is a path of Windows: 'wslpath' tells what it is called here, files in KUBECONFIG "
           "are parted by ':', and 'kubectl config view --flatten' puts files into the kubeconfig";
  }
  if (path.starts_with("~/")) return "'~' is for the shell to expand: write the whole path";
  return "";
}

}  // namespace meshtrust::k8s
