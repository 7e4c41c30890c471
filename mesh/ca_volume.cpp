#include "mesh/ca_volume.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/objects.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace meshtrust::mesh {
namespace {

using base::Json;

/// Of words that come from a cluster.
constexpr std::size_t kMostOfAName = 253;

/// For a path in a container, whose working directory is "/": "./etc/cacerts/" is "/etc/cacerts".
std::string normal_path(std::string path) {
  if (path.starts_with("./")) path.erase(0, 1);
  if (!path.starts_with('/')) path.insert(0, "/");
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

bool is_below(const std::string& path, const std::string& folder) {
  return folder == "/" || path.starts_with(folder + "/");
}

const Json* istiod_in(const Json& spec) {
  const Json& containers = list_at(spec, {"containers"});
  const auto named = std::find_if(containers.begin(), containers.end(), [](const Json& one) {
    return base::string_at(one, "name") == istio::kIstiodContainer;
  });
  if (named != containers.end()) return &*named;
  return containers.empty() ? nullptr : &containers.front();
}

std::string folder_of(const Json& container) {
  for (const Json& variable : list_at(container, {"env"})) {
    const std::string folder = base::string_at(variable, "value");
    if (base::string_at(variable, "name") == istio::kCaFolderVariable && !folder.empty()) {
      return normal_path(base::printable(folder, kMostOfAName));
    }
  }
  return std::string(istio::kCaFolder);
}

/// The names of the volumes that may hold a file of `folder`: those mounted in it, else that which
/// is mounted at it or nearest around it.
std::vector<std::string> volumes_at(const std::string& folder, const Json& container) {
  std::vector<std::string> inside;
  std::pair<std::string, std::string> nearest;  // its path, and its name
  for (const Json& mount : list_at(container, {"volumeMounts"})) {
    const std::string path = normal_path(base::string_at(mount, "mountPath"));
    const std::string name = base::string_at(mount, "name");
    if (is_below(path, folder)) inside.push_back(name);
    const bool is_around = path == folder || is_below(folder, path);
    if (is_around && path.size() > nearest.first.size()) nearest = {path, name};
  }
  if (!nearest.second.empty()) inside.push_back(nearest.second);
  return inside;
}

/// How the API calls what a volume is made of: its one key beside the name.
std::string kind_of(const Json& volume) {
  for (const auto& [key, content] : volume.items()) {
    if (key != "name") return base::printable(key, kMostOfAName);
  }
  return {};
}

std::string quoted(std::string_view what, const std::string& name) {
  return name.empty() ? std::string()
                      : fmt::format("{} '{}'", what, base::printable(name, kMostOfAName));
}

/// The one source of a projected volume: "secret 'vault-ca'". Empty where there are several.
std::string source_of_projected(const Json& volume) {
  const Json& sources = list_at(volume, {"projected", "sources"});
  if (sources.size() != 1) return {};
  const Json& only = sources.front();
  if (only.contains("secret")) return quoted("secret", base::string_at(only["secret"], "name"));
  const std::string kind = kind_of(only);
  return quoted(kind, base::string_at(base::at_path(only, {kind}), "name"));
}

std::string source_of(const Json& volume, const std::string& kind) {
  struct Named {
    std::string_view kind;
    const char* field;
    std::string_view word;
  };
  constexpr std::array kNamed{Named{"secret", "secretName", "secret"},
                              Named{"csi", "driver", "driver"}, Named{"hostPath", "path", "path"},
                              Named{"configMap", "name", "configmap"},
                              Named{"persistentVolumeClaim", "claimName", "claim"}};
  if (kind == "projected") return source_of_projected(volume);
  const auto known = std::find_if(kNamed.begin(), kNamed.end(),
                                  [&kind](const Named& one) { return one.kind == kind; });
  if (known == kNamed.end()) return {};
  return quoted(known->word, base::string_at(base::at_path(volume, {kind}), known->field));
}

}  // namespace

std::optional<CaVolume> other_ca_in(const Json& spec) {
  const Json* container = istiod_in(spec);
  if (container == nullptr) return std::nullopt;
  const std::string folder = folder_of(*container);
  const std::vector<std::string> names = volumes_at(folder, *container);
  if (names.empty()) return CaVolume{.folder = folder};
  for (const std::string& name : names) {
    CaVolume seen{.folder = folder, .volume = base::printable(name, kMostOfAName)};
    for (const Json& volume : list_at(spec, {"volumes"})) {
      if (base::string_at(volume, "name") != name) continue;
      seen.kind = kind_of(volume);
      seen.source = source_of(volume, seen.kind);
    }
    const bool is_of_secret = seen.kind == "secret" || seen.kind == "projected";
    const bool is_usual =
        is_of_secret && seen.source == quoted("secret", std::string(istio::kCaSecret));
    if (!is_usual) return seen;
  }
  return std::nullopt;
}

std::string describe(const CaVolume& volume) {
  if (volume.volume.empty()) {
    return fmt::format("nothing, for {} mounts nothing at {}", volume.workload, volume.folder);
  }
  return fmt::format("{}volume '{}'{} of {}, mounted at {}",
                     volume.kind.empty() ? "" : volume.kind + " ", volume.volume,
                     volume.source.empty() ? "" : " (" + volume.source + ")", volume.workload,
                     volume.folder);
}

}  // namespace meshtrust::mesh
