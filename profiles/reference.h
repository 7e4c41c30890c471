#pragma once

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::profiles {

/// A value that is known only once something else is done, as a node of a document:
/// {"$after": "east/gateway-address"}, or, where it is a part of a text,
/// {"$after": "hub/ingress-address", "$in": "https://{host}:15017"}. "{}" stands for the value,
/// "{host}" for it as the host of a URL, i.e. an IPv6 address in brackets.
base::Json reference(std::string name);
base::Json reference_in(std::string name, std::string text);

/// The value of `istio::kRootLabel`. The root may be minted by the run that needs it, in the step
/// of this name.
inline constexpr std::string_view kRootReference = "store/root";

/// "east/gateway-address": the address of a cluster's east-west gateway.
std::string gateway_address(std::string_view cluster);
/// "hub/ingress-address": the address of the ingress gateway of a cluster that hosts a control
/// plane.
std::string ingress_address(std::string_view cluster);

/// The names of all references in a document, sorted, each once.
std::vector<std::string> references_in(const base::Json& document);

/// The value of a reference by its name, where it is known. An empty text counts as unknown.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

/// `document` with every reference that `known` has a value for replaced by it; the others stay.
base::Json resolve(base::Json document, const Lookup& known);

/// `document` for people: a reference reads "(known after east/gateway-address)", with the text
/// around it where it is a part.
base::Json shown(base::Json document);

}  // namespace meshtrust::profiles
