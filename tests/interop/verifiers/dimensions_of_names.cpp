#include "base/check.h"
#include "base/encoding.h"
#include "tests/interop/verifiers/corpus.h"

// The table of dimensions is read best as one, however long it is.

namespace meshtrust::interop {
namespace {

using pki::testing::Forgery;

using Values = std::vector<std::string>;

void set(Forgery& forgery, Dice& dice, const std::string& extension, const Values& values) {
  forgery.with(extension, pick(dice, values));
}

const Values& dns_constraints() {
  static const Values values = {"critical,permitted;DNS:example.com",
                                "permitted;DNS:example.com",
                                "critical,permitted;DNS:.example.com",
                                "critical,permitted;DNS:web.example.com",
                                "critical,excluded;DNS:web.example.com",
                                "critical,excluded;DNS:example.com",
                                "critical,permitted;DNS:example.net",
                                "critical,permitted;DNS:example.net,permitted;DNS:example.com"};
  return values;
}

/// Forms of names, by their tags (RFC 5280 4.2.1.6).
enum class Form : unsigned char { kMail = 0x81, kDns = 0x82, kUri = 0x86 };

std::string element(unsigned char tag, const std::string& content) {
  constexpr std::size_t kLongest = 0x7f;
  MESHTRUST_CHECK(content.size() <= kLongest);
  return std::string{static_cast<char>(tag), static_cast<char>(content.size())} + content;
}

constexpr unsigned char kSequence = 0x30;

/// Texts that the openssl.cnf language has no words for.
std::string as_names(Form form, const std::string& text) {
  const std::string name = element(static_cast<unsigned char>(form), text);
  return "DER:" + base::to_hex(base::as_bytes(element(kSequence, name)));
}

std::string as_constraint(Form form, const std::string& text, bool excluded) {
  constexpr unsigned char kPermitted = 0xa0;
  constexpr unsigned char kExcluded = 0xa1;
  const std::string base = element(static_cast<unsigned char>(form), text);
  const std::string trees = element(excluded ? kExcluded : kPermitted, element(kSequence, base));
  return "critical,DER:" + base::to_hex(base::as_bytes(element(kSequence, trees)));
}

/// A name of the leaf below a constraint of the same form.
void constrain(
    Draft& draft, Dice& dice, Form form, const Values& constraints, const Values& names) {
  const bool excluded = roll(dice, 2) == 0;
  draft.middle(dice).with("nameConstraints",
                          as_constraint(form, pick(dice, constraints), excluded));
  draft.leaf().with("subjectAltName", as_names(form, pick(dice, names)));
}

const Values& odd_hosts() {
  static const Values hosts = {"good.com",
                               "x.good.com",
                               "*.good.com",
                               "x.good.com.",
                               "good.com.",
                               ".good.com",
                               "GOOD.com",
                               "a_b.good.com",
                               "x y.good.com",
                               "*.com",
                               "*",
                               "a.*.good.com",
                               "a*.good.com",
                               "",
                               "xn--x.good.com",
                               "-x.good.com",
                               "x-.good.com",
                               "1.2.3.4",
                               "*.*.good.com",
                               "bad.com",
                               "www.good.com",
                               "good..com",
                               "*x.good.com",
                               "x.good.com..",
                               "x.0x1f",
                               "good.com:8443",
                               "a/b.good.com",
                               "com",
                               "*.x.good.com",
                               "notgood.com"};
  return hosts;
}

const Values& host_constraints() {
  static const Values constraints = {
      "good.com", ".good.com", "www.good.com", "",        "GOOD.com", "good.com.", "*.good.com",
      "com",      "-x.com",    "x_y.good.com", "a b.com", ".",        "1.2.3.4",   "good..com"};
  return constraints;
}

const Values& odd_uris() {
  static const Values uris = {"https://good.com",
                              "https://x.good.com/a",
                              "https://user:pw@good.com",
                              "https://user@x.good.com",
                              "https://a@b@good.com",
                              "https://us er@good.com",
                              "https://good.com:99999/",
                              "https://good.com:/",
                              "https://good.com:abc",
                              "https://good.com:1:2",
                              "spiffe://good.com:1:2",
                              "https://a_b.good.com",
                              "spiffe://good.com/ns/a",
                              "https://good.com%00",
                              "https://good.com%25",
                              "https://go%2ed.com",
                              "https://GOOD.com",
                              "HTTPS://x.Good.com",
                              "https://*.good.com",
                              "https://good.com?x",
                              "https://good.com#x",
                              "https://good.com#%zz",
                              "https://good.com/%zz",
                              "urn:good.com",
                              "https://1.2.3",
                              "https://1.2.3.4",
                              "https://0x7f.1",
                              "https://x.0x7f",
                              "https://good..com",
                              "https://good.com.",
                              "https://-a.good.com",
                              "https://a-.good.com",
                              "https://good.com ",
                              "https://[fe80::1%25eth0]/",
                              "https://[fe80::1%25]",
                              "https://[fe80::1%25a%20b]",
                              "https://[fe80::1%25a%2fb]",
                              "https://[fe80::1%25a..b]:80",
                              "https://[fe80::1%25%41%ff]",
                              "https://[fe80::1%eth0]",
                              "https://[::ffff:1.2.3.4]:x",
                              "https://[1.2.3.4]",
                              "https://[good.com]",
                              "https://x[::1]",
                              "https://[::1]",
                              "https://[::1]:80",
                              "https://good.com\t",
                              "mailto:a@good.com",
                              "https:good.com",
                              "https://",
                              "//good.com/a",
                              "///good.com",
                              "good.com/a",
                              "a b:c",
                              "1http://good.com",
                              "ht_tp://good.com",
                              ":good.com",
                              "*"};
  return uris;
}

const Values& odd_mail() {
  static const Values addresses = {"a@good.com",
                                   "A@good.com",
                                   "a@x.good.com",
                                   "a@GOOD.com",
                                   "a@b@good.com",
                                   "@good.com",
                                   "a@",
                                   "\"a b\"@good.com",
                                   "\"a\"@good.com",
                                   "a b@good.com",
                                   "a@good.com.",
                                   "a",
                                   "",
                                   "a.b@good.com",
                                   ".a@good.com",
                                   "a..b@good.com",
                                   "a\\@b@good.com",
                                   "a@a_b.good.com",
                                   "a@-x.good.com",
                                   "a@.good.com",
                                   "\"a@b\"@good.com",
                                   "a@*.good.com",
                                   "a@bad.com",
                                   "a(b)@good.com"};
  return addresses;
}

const Values& mail_constraints() {
  static const Values constraints = {"good.com",   ".good.com", "a@good.com", "A@GOOD.com",
                                     "x.good.com", "",          "good.com.",  "a@b@good.com",
                                     "@good.com",  "a@",        "a_b.com",    "\"a\"@good.com"};
  return constraints;
}

const std::vector<Dimension>& table() {
  static const std::vector<Dimension> all = {
      {"DNS constraints",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "nameConstraints", dns_constraints()); }},
      {"DNS constraints of the root",
       [](Draft& d, Dice& r) { set(d.root(), r, "nameConstraints", dns_constraints()); }},
      {"address constraints",
       [](Draft& d, Dice& r) {
         set(d.middle(r), r, "nameConstraints",
             {"critical,permitted;IP:10.0.0.0/255.0.0.0",
              "critical,permitted;IP:11.0.0.0/255.0.0.0",
              "critical,excluded;IP:10.0.0.0/255.255.255.0"});
       }},
      {"URI constraints",
       [](Draft& d, Dice& r) {
         set(d.middle(r), r, "nameConstraints",
             {"critical,permitted;URI:cluster.local", "critical,permitted;URI:.cluster.local",
              "critical,excluded;URI:cluster.local", "critical,permitted;URI:example.com",
              "critical,excluded;URI:example.com"});
       }},
      {"mail constraints",
       [](Draft& d, Dice& r) {
         set(d.middle(r), r, "nameConstraints",
             {"critical,permitted;email:example.com", "critical,permitted;email:example.net",
              "critical,excluded;email:joe@example.com"});
       }},
      {"directory constraints",
       [](Draft& d, Dice& r) {
         set(d.middle(r), r, "nameConstraints",
             {"critical,DER:3018a0163014a4123010310e300c060355040a0c05466f726765",
              "DER:3018a0163014a4123010310e300c060355040a0c054f74686572"});
       }},
      {"alternative names",
       [](Draft& d, Dice& r) {
         set(d.leaf(), r, "subjectAltName",
             {"", "DNS:web.example.com", "DNS:*.example.com", "DNS:*.com", "DNS:WEB.Example.com",
              "DNS:web.example.net,DNS:web.example.com", "IP:10.0.0.1", "IP:11.0.0.1",
              "URI:spiffe://cluster.local/ns/a/sa/b", "URI:spiffe://other.local/ns/a/sa/b",
              "email:joe@example.com,DNS:web.example.com",
              "DNS:web.example.com,URI:spiffe://cluster.local/ns/a/sa/b"});
       }},
      {"no subject",
       [](Draft& d, Dice& r) {
         d.leaf().subject = "";
         set(d.leaf(), r, "subjectAltName",
             {"critical,DNS:web.example.com", "DNS:web.example.com"});
       }},
      {"odd hosts",
       [](Draft& d, Dice& r) { constrain(d, r, Form::kDns, host_constraints(), odd_hosts()); }},
      {"odd URIs",
       [](Draft& d, Dice& r) { constrain(d, r, Form::kUri, host_constraints(), odd_uris()); }},
      {"odd mail addresses",
       [](Draft& d, Dice& r) { constrain(d, r, Form::kMail, mail_constraints(), odd_mail()); }},
      {"odd names under no constraint",
       [](Draft& d, Dice& r) {
         switch (roll(r, 3)) {
           case 0:
             return set(d.leaf(), r, "subjectAltName",
                        {as_names(Form::kDns, pick(r, odd_hosts()))});
           case 1:
             return set(d.leaf(), r, "subjectAltName", {as_names(Form::kUri, pick(r, odd_uris()))});
           default:
             return set(d.leaf(), r, "subjectAltName",
                        {as_names(Form::kMail, pick(r, odd_mail()))});
         }
       }},
      {"mail address of the subject",
       [](Draft& d, Dice& r) {
         d.leaf().subject =
             pick(r, Values{"emailAddress=a@good.com", "emailAddress=A@good.com",
                            "emailAddress=a@x.good.com", "1.2.840.113549.1.9.1=a@good.com"});
         d.middle(r).with("nameConstraints",
                          as_constraint(Form::kMail, pick(r, mail_constraints()), roll(r, 2) == 0));
       }},
  };
  return all;
}

}  // namespace

std::span<const Dimension> dimensions_of_names() {
  return table();
}

}  // namespace meshtrust::interop
