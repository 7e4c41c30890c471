// Names that look alike when they are written in one line, and are not equal (RFC 5280 7.1).
#include "pki/handle.h"
#include "pki/path/name_space.h"
#include "pki/path/path_extensions.h"

#include <gmock/gmock.h>
#include <openssl/x509.h>

#include <string>
#include <vector>

namespace meshtrust::pki {
namespace {

using Name = Handle<X509_NAME, X509_NAME_free>;

struct Attribute {
  int type;
  std::string value;
  bool beside_the_one_before = false;  ///< in its RDN
};

PathName name_of_attributes(const std::vector<Attribute>& attributes) {
  const Name name(X509_NAME_new());
  for (const Attribute& one : attributes) {
    X509_NAME_add_entry_by_NID(name.get(), one.type, V_ASN1_UTF8STRING,
                               reinterpret_cast<const unsigned char*>(one.value.data()),  // NOLINT
                               static_cast<int>(one.value.size()), -1,
                               one.beside_the_one_before ? -1 : 0);
  }
  return path_name(name.get());
}

struct LookAlike {
  const char* what;
  std::vector<Attribute> one;
  std::vector<Attribute> other;
};

const LookAlike kLookAlikes[] = {
    {"a plus sign is no second attribute",
     {{NID_organizationName, "b+2.5.4.3=a"}},
     {{NID_organizationName, "b"}, {NID_commonName, "a", true}}},
    {"a zero octet ends no RDN",
     {{NID_commonName, std::string("a\0002.5.4.10=b", 13)}},
     {{NID_commonName, "a"}, {NID_organizationName, "b"}}},
    {"two RDNs are not one of two attributes",
     {{NID_commonName, "a"}, {NID_organizationName, "b"}},
     {{NID_commonName, "a"}, {NID_organizationName, "b", true}}},
};

TEST(PathNames, ThatLookAlikeAreNotEqual) {
  for (const LookAlike& pair : kLookAlikes) {
    const PathName one = name_of_attributes(pair.one);
    const PathName other = name_of_attributes(pair.other);
    EXPECT_NE(one.rdns, other.rdns) << pair.what;
    EXPECT_NE(one.key(), other.key()) << pair.what;
  }
}

TEST(PathNames, AreWithinASubtreeThatBeginsThemAndNoOther) {
  const PathName tree = name_of_attributes({{NID_commonName, "a"}, {NID_organizationName, "b"}});
  PathSubtree subtree;
  subtree.base = {.form = NameForm::kDirectory, .value = {}, .rdns = tree.rdns, .text = "tree"};
  const NameSpace space(PathConstraints{.critical = true, .permitted = {subtree}, .excluded = {}});
  const auto is_permitted = [&space](const PathName& name) {
    PathFacts facts;
    facts.subject = name;
    return !space.violation(facts, ConstraintRules{}).has_value();
  };
  EXPECT_TRUE(is_permitted(tree));
  EXPECT_TRUE(is_permitted(name_of_attributes(
      {{NID_commonName, "A"}, {NID_organizationName, "b"}, {NID_organizationalUnitName, "c"}})));
  EXPECT_FALSE(is_permitted(name_of_attributes({{NID_commonName, "a"}})));
  EXPECT_FALSE(
      is_permitted(name_of_attributes({{NID_commonName, std::string("a\0002.5.4.10=b", 13)}})));
}

}  // namespace
}  // namespace meshtrust::pki
