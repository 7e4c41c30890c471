#include "k8s/kubeconfig.h"

#include "base/text.h"
#include "k8s/file_warnings.h"
#include "k8s/kubeconfig_reader.h"
#include "k8s/yaml_value.h"

#include <algorithm>
#include <utility>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = 1U << 20U;
constexpr std::size_t kNamesInAHint = 10;

bool holds_secrets(const UserEntry& user) {
  return !user.token.empty() || !user.password.empty() || user.client_key.has_data();
}

std::vector<fs::path> files_to_read(const KubeconfigSources& sources) {
  if (sources.flag) return {*sources.flag};
  std::vector<fs::path> out;
  if (sources.kubeconfig_variable.empty()) {
    if (!sources.home.empty()) out.push_back(sources.home / ".kube" / "config");
    return out;
  }
  for (const std::string& part : base::split(sources.kubeconfig_variable, ':')) {
    if (part.empty() || std::find(out.begin(), out.end(), fs::path(part)) != out.end()) continue;
    out.emplace_back(part);
  }
  return out;
}

/// The folder of the path as given: a symbolic link counts where it lies, not where it points.
fs::path folder_of(const fs::path& file) {
  std::error_code ignored;
  const fs::path whole = fs::absolute(file, ignored);
  return (ignored ? file : whole).parent_path();
}

/// A path without its "." and ".." and without a slash at its end, as Go cleans it.
std::string clean(const fs::path& path) {
  std::string out = path.lexically_normal().string();
  if (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

}  // namespace

std::string Origin::resolve(const std::string& path) const {
  return path.empty() || path.front() == '/' ? path : clean(folder / path);
}

std::string ClusterEntry::exec_config() const {
  const auto found = extensions.find("client.authentication.k8s.io/exec");
  return found == extensions.end() ? std::string() : found->second;
}

bool KubeconfigContent::is_empty() const {
  return current_context.empty() && clusters.empty() && users.empty() && contexts.empty() &&
         extensions.empty() && preferences.extensions.empty() && !preferences.colors;
}

Result<Kubeconfig> Kubeconfig::parse(const fs::path& name, std::string_view text) {
  const Origin origin{.file = name.string(), .folder = folder_of(name)};
  Kubeconfig out;
  out.files_ = {origin.file};
  MESHTRUST_TRY(const YamlValue document, read_yaml_value(origin.file, text));
  MESHTRUST_TRY(out.content_, read_kubeconfig(document, origin));
  return out;
}

Result<Kubeconfig> Kubeconfig::load(const KubeconfigSources& sources, base::Files& files) {
  Kubeconfig out;
  for (const fs::path& path : files_to_read(sources)) {
    auto text = files.read_secret(path, kLargestFile);
    if (!text && text.error().code == Code::kNotFound && !sources.flag) continue;
    if (!text) {
      Error error = std::move(text).error();
      // Whatever the reason: the kubeconfig cannot be used.
      if (error.code != Code::kCancelled) error.code = Code::kInvalidInput;
      return fail(with_context(std::move(error), "kubeconfig"));
    }
    MESHTRUST_TRY(Kubeconfig one, parse(path, reveal(*text, "kubeconfig to be parsed")));
    if (std::any_of(one.users().begin(), one.users().end(),
                    [](const auto& user) { return holds_secrets(user.second); })) {
      if (auto warning = warn_if_others_can_read(path, files)) {
        one.warnings_.push_back(std::move(*warning));
      }
    }
    out.merge(std::move(one));
  }
  if (out.files_.empty() && !sources.kubeconfig_variable.empty()) {
    std::string text = "no file of KUBECONFIG exists";
    for (const fs::path& path : files_to_read(sources)) {
      text += (text.back() == 's' ? ": '" : ", '") + base::printable(path.string()) + "'";
    }
    const std::string hint = hint_for_path(sources.kubeconfig_variable);
    out.warnings_.push_back(text + (hint.empty() ? "" : " (" + hint + ")"));
  }
  return out;
}

Result<Kubeconfig> Kubeconfig::load_or_in_cluster(const KubeconfigSources& sources,
                                                  base::Files& files) {
  MESHTRUST_TRY(Kubeconfig out, load(sources, files));
  const fs::path token = sources.service_account / "token";
  if (!out.content_.is_empty() || sources.service_host.empty() || sources.service_port.empty()) {
    return out;
  }
  if (const auto facts = files.facts(token); !facts || facts->kind == base::FileKind::kAbsent) {
    return out;
  }
  const std::string name(kInCluster);
  const Origin origin{.file = sources.service_account.string(), .folder = sources.service_account};
  const bool is_ipv6 = sources.service_host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + sources.service_host + "]" : sources.service_host;
  ClusterEntry& cluster = out.content_.clusters[name];
  cluster.origin = origin;
  cluster.server = "https://" + host + ":" + sources.service_port;
  cluster.certificate_authority.file = "ca.crt";
  UserEntry& user = out.content_.users[name];
  user.origin = origin;
  user.token_file = "token";
  std::string space = sources.pod_namespace;
  if (space.empty()) {
    const auto content = files.read(sources.service_account / "namespace");
    if (content) space = base::trim(*content);
  }
  out.content_.contexts[name] = {.origin = origin,
                                 .cluster = name,
                                 .user = name,
                                 .namespace_name = space.empty() ? "default" : space};
  out.content_.current_context = name;
  out.files_.push_back(origin.file);
  return out;
}

namespace {

/// Names of which an earlier file has an entry already: of theirs nothing is used, and a context of
/// the later file means the earlier file's entry.
template <class Entry>
void tell_hidden(std::string_view kind,
                 const std::map<std::string, Entry>& before,
                 const std::map<std::string, Entry>& later,
                 std::vector<std::string>& warnings) {
  for (const auto& [name, entry] : later) {
    const auto first = before.find(name);
    if (first == before.end()) continue;
    warnings.push_back(base::printable(entry.origin.file) + ": " + std::string(kind) + " '" +
                       base::printable(name, 80) + "' is hidden by the one in " +
                       base::printable(first->second.origin.file) +
                       ", which comes first: rename one of the two");
  }
}

}  // namespace

void Kubeconfig::merge(Kubeconfig later) {
  KubeconfigContent& from = later.content_;
  tell_hidden("cluster", content_.clusters, from.clusters, later.warnings_);
  tell_hidden("user", content_.users, from.users, later.warnings_);
  tell_hidden("context", content_.contexts, from.contexts, later.warnings_);
  if (content_.current_context.empty()) content_.current_context = std::move(from.current_context);
  // std::map::merge keeps what is there.
  content_.clusters.merge(from.clusters);
  content_.users.merge(from.users);
  content_.contexts.merge(from.contexts);
  content_.extensions.merge(from.extensions);
  content_.preferences.extensions.merge(from.preferences.extensions);
  content_.preferences.colors = content_.preferences.colors || from.preferences.colors;
  files_.insert(files_.end(), later.files_.begin(), later.files_.end());
  warnings_.insert(warnings_.end(), later.warnings_.begin(), later.warnings_.end());
}

std::vector<std::string> Kubeconfig::context_names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : contexts()) {
    out.push_back(name);
  }
  return out;
}

Error Kubeconfig::no_such_context(std::string_view context) const {
  const std::string where =
      files_.empty() ? "no file was found" : base::printable(base::join(files_, ", "), 4'096);
  Error error{.code = Code::kInvalidInput,
              .message = "context '" + base::printable(context, 253) +
                         "' is not in the kubeconfig (" + where + ")"};
  std::vector<std::string> names = context_names();
  for (std::string& name : names) {
    name = base::printable(name, 253);
  }
  if (const auto near = base::nearest(context, names)) {
    error.hints.push_back("did you mean '" + *near + "'?");
  } else if (!names.empty()) {
    const std::size_t more = names.size() > kNamesInAHint ? names.size() - kNamesInAHint : 0;
    names.resize(names.size() - more);
    std::string known = "its contexts are: " + base::join(names, ", ");
    if (more > 0) known += " and " + std::to_string(more) + " more";
    error.hints.push_back(std::move(known));
  } else {
    error.hints.emplace_back("it has no contexts: set KUBECONFIG or give --kubeconfig FILE");
  }
  return error;
}

}  // namespace meshtrust::k8s
