#include "profiles/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Json;

constexpr const char* kAfter = "$after";
constexpr const char* kIn = "$in";

/// A document may hold values of users', so anything may stand under these keys.
bool is_reference(const Json& node) {
  return node.is_object() && node.contains(kAfter) && node[kAfter].is_string() &&
         (!node.contains(kIn) || node[kIn].is_string());
}

/// `text` with every `mark` in it replaced.
std::string replaced(std::string text, std::string_view mark, std::string_view by) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

/// The text that a reference stands for, once its value is `value`.
std::string filled(const Json& node, const std::string& value) {
  if (!node.contains(kIn)) return value;
  const bool is_ipv6 = value.find(':') != std::string::npos;
  const std::string text = replaced(node[kIn].get<std::string>(), "{}", value);
  return replaced(text, "{host}", is_ipv6 ? fmt::format("[{}]", value) : value);
}

template <class Visit>
void visit_references(Json& node, const Visit& visit) {
  if (is_reference(node)) {
    visit(node);
  } else if (node.is_structured()) {
    for (Json& item : node) {
      visit_references(item, visit);
    }
  }
}

}  // namespace

Json reference(std::string name) {
  return {{kAfter, std::move(name)}};
}

Json reference_in(std::string name, std::string text) {
  return {{kAfter, std::move(name)}, {kIn, std::move(text)}};
}

std::string gateway_address(std::string_view cluster) {
  return fmt::format("{}/gateway-address", cluster);
}

std::string ingress_address(std::string_view cluster) {
  return fmt::format("{}/ingress-address", cluster);
}

std::vector<std::string> references_in(const Json& document) {
  std::vector<std::string> names;
  Json copy = document;
  visit_references(
      copy, [&names](const Json& node) { names.push_back(node[kAfter].get<std::string>()); });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Json resolve(Json document, const Lookup& known) {
  visit_references(document, [&known](Json& node) {
    const auto value = known(node[kAfter].get<std::string>());
    if (value && !value->empty()) node = filled(node, *value);
  });
  return document;
}

Json shown(Json document) {
  visit_references(document, [](Json& node) {
    const std::string words = fmt::format("(known after {})", node[kAfter].get<std::string>());
    const std::string text = node.value(kIn, "{}");
    node = replaced(replaced(text, "{host}", words), "{}", words);
  });
  return document;
}

}  // namespace meshtrust::profiles
