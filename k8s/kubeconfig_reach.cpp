// What a context makes a client do on this machine, told before any of it is done.

#include "base/text.h"
#include "k8s/kubeconfig.h"

namespace meshtrust::k8s {
namespace {

namespace fs = std::filesystem;

/// Whether the file that would be opened for `path` is below `folder`, links followed. What cannot
/// be found out is not.
bool lies_inside(const std::string& path, const fs::path& folder) {
  // The system reads a path up to its first NUL, and so would look at another file than we do.
  if (path.find('\0') != std::string::npos) return false;
  std::error_code problem;
  const fs::path target = fs::weakly_canonical(path, problem);
  if (problem) return false;
  const fs::path root = fs::canonical(folder, problem);
  if (problem) return false;
  const fs::path relative = target.lexically_relative(root);
  if (relative.empty() || *relative.begin() == "..") return false;
  // A link that leads nowhere yet is no file that is missing here.
  for (fs::path part = target; part != root; part = part.parent_path()) {
    if (fs::is_symlink(fs::symlink_status(part, problem))) return false;
  }
  return true;
}

void add_outside(Reach& reach,
                 const Origin& origin,
                 std::string_view key,
                 const std::string& file) {
  if (file.empty() || lies_inside(origin.resolve(file), origin.folder)) return;
  reach.files.push_back(std::string(key) + " '" + base::printable(file) + "'");
}

}  // namespace

Reach Kubeconfig::reach_of(std::string_view context) const {
  Reach reach;
  const auto entry = contexts().find(std::string(context));
  if (entry == contexts().end()) return reach;
  if (const auto found = clusters().find(entry->second.cluster); found != clusters().end()) {
    const ClusterEntry& cluster = found->second;
    add_outside(reach, cluster.origin, "certificate-authority", cluster.certificate_authority.file);
  }
  if (const auto found = users().find(entry->second.user); found != users().end()) {
    const UserEntry& user = found->second;
    add_outside(reach, user.origin, "client-certificate", user.client_certificate.file);
    add_outside(reach, user.origin, "client-key", user.client_key.file);
    add_outside(reach, user.origin, "tokenFile", user.token_file);
    if (user.exec) reach.program = user.exec->command;
  }
  return reach;
}

}  // namespace meshtrust::k8s
