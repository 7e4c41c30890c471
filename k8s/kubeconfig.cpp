#include "k8s/kubeconfig.h"

#include "base/text.h"
#include "base/yaml.h"
#include "k8s/kubeconfig_reader.h"

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

/// Without the line's text: it may be a token.
Error without_source(Error error) {
  error.code = Code::kInvalidInput;
  error.place.source_line.clear();
  return error;
}

bool holds_secrets(const UserEntry& user) {
  return !user.token.empty() || !user.password.empty() || !user.client_key.data.empty();
}

template <class Entry>
void add_missing(std::map<std::string, Entry>& into, std::map<std::string, Entry> later) {
  into.merge(std::move(later));  // keeps what is there
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

std::string warn_if_readable(const fs::path& path, base::Files& files) {
  const auto facts = files.facts(path);
  if (!facts || facts->kind != base::FileKind::kFile || (facts->mode & 044U) == 0) return {};
  return "'" + path.string() + "' holds keys or tokens and others may read it: 'chmod 600 " +
         path.string() + "'";
}

}  // namespace

Result<Kubeconfig> Kubeconfig::parse(const fs::path& name, std::string_view text) {
  const Origin origin{.file = name.string(), .folder = folder_of(name)};
  Kubeconfig out;
  out.files_ = {origin.file};
  auto documents = base::parse_yaml(origin.file, text);
  if (!documents) return fail(without_source(std::move(documents).error()));
  if (documents->empty()) return out;
  auto file = read_kubeconfig(documents->front(), origin);
  if (!file) return fail(std::move(file).error());
  out.current_context_ = std::move(file->current_context);
  out.clusters_ = std::move(file->clusters);
  out.users_ = std::move(file->users);
  out.contexts_ = std::move(file->contexts);
  return out;
}

Result<Kubeconfig> Kubeconfig::load(const KubeconfigSources& sources, base::Files& files) {
  Kubeconfig out;
  for (const fs::path& path : files_to_read(sources)) {
    auto text = files.read_secret(path, kLargestFile);
    if (!text && text.error().code == Code::kNotFound && !sources.flag) continue;
    if (!text) {
      Error error = std::move(text).error();
      error.code = Code::kInvalidInput;  // whatever the reason: the kubeconfig cannot be used
      return fail(with_context(std::move(error), "kubeconfig"));
    }
    MESHTRUST_TRY(Kubeconfig one, parse(path, reveal(*text, "kubeconfig to be parsed")));
    if (std::any_of(one.users_.begin(), one.users_.end(),
                    [](const auto& user) { return holds_secrets(user.second); })) {
      std::string warning = warn_if_readable(path, files);
      if (!warning.empty()) one.warnings_.push_back(std::move(warning));
    }
    out.merge(std::move(one));
  }
  if (out.files_.empty() && !sources.kubeconfig_variable.empty()) {
    out.warnings_.push_back("no file of KUBECONFIG exists: '" + sources.kubeconfig_variable + "'");
  }
  return out;
}

void Kubeconfig::merge(Kubeconfig later) {
  if (current_context_.empty()) current_context_ = std::move(later.current_context_);
  add_missing(clusters_, std::move(later.clusters_));
  add_missing(users_, std::move(later.users_));
  add_missing(contexts_, std::move(later.contexts_));
  files_.insert(files_.end(), later.files_.begin(), later.files_.end());
  warnings_.insert(warnings_.end(), later.warnings_.begin(), later.warnings_.end());
}

std::vector<std::string> Kubeconfig::context_names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : contexts_) {
    out.push_back(name);
  }
  return out;
}

Error Kubeconfig::no_such_context(std::string_view context) const {
  const std::string where = files_.empty() ? "no file was found" : base::join(files_, ", ");
  Error error{
      .code = Code::kInvalidInput,
      .message = "context '" + std::string(context) + "' is not in the kubeconfig (" + where + ")"};
  std::vector<std::string> names = context_names();
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
