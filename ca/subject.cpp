#include "ca/subject.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace meshtrust::ca {
namespace {

constexpr std::size_t kRandomBytes = 4;

/// Whether `text` has the form of `pattern`, where 'd' stands for a digit and 'x' for a
/// hexadecimal one.
bool has_form(std::string_view text, std::string_view pattern) {
  return std::equal(text.begin(), text.end(), pattern.begin(), pattern.end(),
                    [](char found, char wanted) {
                      const auto letter = static_cast<unsigned char>(found);
                      if (wanted == 'd') return std::isdigit(letter) != 0;
                      if (wanted == 'x') return std::isxdigit(letter) != 0;
                      return found == wanted;
                    });
}

bool is_generation(const pki::NameAttribute& attribute) {
  if (attribute.type != "OU") return false;
  const std::string_view value = attribute.value;
  for (const ledger::AuthorityKind kind :
       {ledger::AuthorityKind::kRoot, ledger::AuthorityKind::kIntermediate}) {
    const std::string start = fmt::format("{} ", name_of(kind));
    if (value.starts_with(start) && has_form(value.substr(start.size()), "dddd-dd-dd xxxxxxxx")) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string generation(ledger::AuthorityKind kind, base::Instant at, base::Random& random) {
  return fmt::format("{} {} {}", name_of(kind), base::format_date(at),
                     base::to_hex(random.bytes(kRandomBytes)));
}

pki::DistinguishedName with_unit(pki::DistinguishedName wanted, std::string unit) {
  auto& attributes = wanted.attributes;
  const auto place = std::find_if(attributes.begin(), attributes.end(),
                                  [](const auto& each) { return each.type == "CN"; });
  attributes.insert(place, pki::NameAttribute{.type = "OU", .value = std::move(unit)});
  return wanted;
}

std::string without_generation(std::string_view subject) {
  auto name = pki::DistinguishedName::parse(subject);
  if (!name) return std::string(subject);
  std::erase_if(name->attributes, is_generation);
  return name->text();
}

base::Result<pki::DistinguishedName> intermediate_subject(std::string_view root_subject,
                                                          std::string_view cluster,
                                                          std::string unit) {
  MESHTRUST_TRY(pki::DistinguishedName name, pki::DistinguishedName::parse(root_subject));
  std::erase_if(name.attributes,
                [](const auto& each) { return each.type == "CN" || is_generation(each); });
  name.attributes.push_back(pki::NameAttribute{.type = "CN", .value = std::string(cluster)});
  return with_unit(std::move(name), std::move(unit));
}

}  // namespace meshtrust::ca
