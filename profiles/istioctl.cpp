#include "profiles/istioctl.h"

#include "base/encoding.h"
#include "profiles/merge.h"

#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

std::string_view name_of(Installation::Method method) {
  return method == Installation::Method::kInstall ? "install" : "apply";
}

}  // namespace

Json istio_operator(const Installation& installation) {
  Json document = installation.base.is_object() ? installation.base : Json::object();
  document["apiVersion"] = "install.istio.io/v1alpha1";
  document["kind"] = "IstioOperator";
  document["metadata"]["namespace"] = installation.namespace_name;
  Json& spec = document["spec"];
  spec["profile"] = installation.profile;
  if (!installation.revision.empty()) spec["revision"] = installation.revision;
  // The empty profile installs nothing of its own, and so not another set of CRDs.
  if (installation.kind == Installation::Kind::kExternal) {
    spec["components"]["pilot"]["enabled"] = true;
  }
  if (!installation.mesh_config.empty()) spec["meshConfig"] = installation.mesh_config;
  spec["values"] = installation.values;
  return document;
}

std::string istio_operator_file(const Installation& installation) {
  return base::to_yaml(shown(istio_operator(installation)));
}

std::optional<std::string> digest_of(const Installation& installation) {
  if (!references_in(installation).empty()) return std::nullopt;
  const Json input{{"istio", installation.version.text()},
                   {"method", name_of(installation.method)},
                   {"operator", istio_operator(installation)}};
  return base::to_hex(base::sha256(base::as_bytes(base::compact(input))));
}

}  // namespace meshtrust::profiles
