#include "tests/interop/verifiers/corpus.h"

// The table of dimensions is read best as one, however long it is.

namespace meshtrust::interop {
namespace {

using pki::testing::Forgery;
using pki::testing::Identity;
using pki::testing::kNow;

using Values = std::vector<std::string>;

void set(Forgery& forgery, Dice& dice, const std::string& extension, const Values& values) {
  forgery.with(extension, pick(dice, values));
}

const Values& key_types() {
  static const Values types = {"p256",    "p256",     "p384",     "p521",
                               "ed25519", "rsa-2048", "rsa-3072", "rsa-1024"};
  return types;
}

const Values& basic_constraints() {
  static const Values values = {"",
                                "critical,CA:FALSE",
                                "CA:TRUE",
                                "critical,CA:TRUE,pathlen:0",
                                "critical,CA:TRUE,pathlen:1",
                                "critical,CA:TRUE,pathlen:2",
                                "critical,CA:TRUE,pathlen:300"};
  return values;
}

const Values& ca_key_usages() {
  static const Values values = {"", "critical,cRLSign", "critical,keyCertSign", "keyCertSign",
                                "critical,digitalSignature"};
  return values;
}

const Values& extended_usages() {
  static const Values values = {"",
                                "serverAuth",
                                "clientAuth",
                                "serverAuth,clientAuth",
                                "anyExtendedKeyUsage",
                                "codeSigning",
                                "critical,serverAuth",
                                "serverAuth,codeSigning",
                                "1.2.3.4"};
  return values;
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

Forgery ca_like(const Forgery& model) {
  Forgery ca = model;
  ca.with("basicConstraints", "critical,CA:TRUE");
  ca.with("authorityKeyIdentifier", "keyid:always");
  return ca;
}

void put_before_the_rest(Case& question, base::Bytes der) {
  question.chain.insert(question.chain.begin() + 1, std::move(der));
}

/// Another root, and a certificate of the first root's subject and key below it.
void bridge(Draft& draft, bool trusts_first, bool expired, bool after) {
  draft.afterwards.emplace_back([=](Case& question, const std::vector<Identity>& made) {
    Forgery other;
    other.subject = "O=Forge,CN=Other Root";
    const Identity b = pki::testing::forge_root(other);
    const Identity& a = made.back();
    Forgery cross = ca_like(Forgery{});
    cross.subject = a.certificate.facts().subject;
    cross.key = a.key;
    if (expired) cross.not_after = kNow - base::days(1);
    const base::Bytes der = below(cross, b).certificate.der();
    if (after) {
      question.chain.push_back(der);
    } else {
      put_before_the_rest(question, der);
    }
    if (!trusts_first) question.roots.clear();
    question.roots.push_back(b.certificate.der());
  });
}

constexpr std::string_view kUnknown = "critical,DER:0500";

const std::vector<Dimension>& table() {
  static const std::vector<Dimension> all = {
      {"root key", [](Draft& d, Dice& r) { d.root().key = key_of(r, pick(r, key_types())); }},
      {"intermediate key",
       [](Draft& d, Dice& r) { d.middle(r).key = key_of(r, pick(r, key_types())); }},
      {"leaf key", [](Draft& d, Dice& r) { d.leaf().key = key_of(r, pick(r, key_types())); }},
      {"leaf digest",
       [](Draft& d, Dice& r) {
         d.leaf().digest = pick(r, std::vector<const char*>{"SHA1", "SHA224", "SHA384", "SHA512"});
       }},
      {"intermediate digest",
       [](Draft& d, Dice& r) {
         d.middle(r).digest = pick(r, std::vector<const char*>{"SHA1", "SHA384", "SHA512"});
       }},
      {"root digest", [](Draft& d, Dice&) { d.root().digest = "SHA1"; }},
      {"PSS signatures",
       [](Draft& d, Dice& r) {
         for (Forgery& level : d.levels) {
           level.key = key_of(r, "rsa-2048");
           level.pss = true;
         }
       }},
      {"leaf validity",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.leaf().not_after : d.leaf().not_before) =
             kNow + base::Seconds(static_cast<int>(roll(r, 3)) - 1);
       }},
      {"intermediate validity",
       [](Draft& d, Dice& r) {
         Forgery& middle = d.middle(r);
         (roll(r, 2) == 0 ? middle.not_after : middle.not_before) =
             kNow + base::Seconds(static_cast<int>(roll(r, 3)) - 1);
       }},
      {"root validity",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.root().not_after : d.root().not_before) =
             kNow + base::Seconds(static_cast<int>(roll(r, 3)) - 1);
       }},
      {"root constraints",
       [](Draft& d, Dice& r) { set(d.root(), r, "basicConstraints", basic_constraints()); }},
      {"intermediate constraints",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "basicConstraints", basic_constraints()); }},
      {"leaf constraints",
       [](Draft& d, Dice& r) {
         set(d.leaf(), r, "basicConstraints", {"", "critical,CA:TRUE", "CA:FALSE"});
       }},
      {"root key usage", [](Draft& d, Dice& r) { set(d.root(), r, "keyUsage", ca_key_usages()); }},
      {"intermediate key usage",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "keyUsage", ca_key_usages()); }},
      {"leaf key usage",
       [](Draft& d, Dice& r) {
         set(d.leaf(), r, "keyUsage",
             {"", "critical,keyEncipherment", "critical,dataEncipherment", "keyAgreement",
              "critical,digitalSignature,keyCertSign"});
       }},
      {"leaf extended usage",
       [](Draft& d, Dice& r) { set(d.leaf(), r, "extendedKeyUsage", extended_usages()); }},
      {"intermediate extended usage",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "extendedKeyUsage", extended_usages()); }},
      {"root extended usage",
       [](Draft& d, Dice& r) { set(d.root(), r, "extendedKeyUsage", extended_usages()); }},
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
      {"leaf serial",
       [](Draft& d, Dice& r) {
         d.leaf().serial = pick(r, Values{"00", "-05", "7f" + std::string(44, '1')});
       }},
      {"root serial",
       [](Draft& d, Dice& r) {
         d.root().serial = pick(r, Values{"00", "-05"});
       }},
      {"unknown critical extension of the leaf",
       [](Draft& d, Dice&) { d.leaf().with("1.2.3.4", std::string(kUnknown)); }},
      {"unknown critical extension of an intermediate",
       [](Draft& d, Dice& r) { d.middle(r).with("1.2.3.4", std::string(kUnknown)); }},
      {"unknown critical extension of the root",
       [](Draft& d, Dice&) { d.root().with("1.2.3.4", std::string(kUnknown)); }},
      {"critical known extension",
       [](Draft& d, Dice& r) {
         Forgery& any = pick(r, std::vector<int>{0, 1}) == 0 ? d.leaf() : d.middle(r);
         switch (roll(r, 4)) {
           case 0:
             any.with("certificatePolicies", "critical,1.2.3.1");
             break;
           case 1:
             any.with("crlDistributionPoints", "critical,URI:http://crl.example.com/1.crl");
             break;
           case 2:
             any.with("subjectKeyIdentifier", "critical,hash");
             break;
           default:
             any.with("authorityInfoAccess", "critical,OCSP;URI:http://ocsp.example.com");
         }
       }},
      {"extension in another encoding",
       [](Draft& d, Dice& r) {
         Forgery& any = pick(r, std::vector<int>{0, 1}) == 0 ? d.leaf() : d.middle(r);
         switch (roll(r, 6)) {
           case 0:  // unused bits that are set
             any.with("keyUsage", "critical,DER:030202FF");
             break;
           case 1:  // a SEQUENCE that says it is primitive
             any.with("extendedKeyUsage", "DER:100A06082B06010505070301");
             break;
           case 2:  // permitted subtrees that say they are primitive: example.com
             d.middle(r).with("nameConstraints",
                              "critical,DER:3011800F300D820B6578616D706C652E636F6D");
             break;
           case 3:  // a list of permitted subtrees without one: excluded example.net
             d.middle(r).with("nameConstraints",
                              "critical,DER:3013A000A10F300D820B6578616D706C652E6E6574");
             break;
           case 4:  // a list of none
             any.with("crlDistributionPoints", "DER:3000");
             break;
           default:  // a name with a control character
             d.leaf().with("subjectAltName",
                           "DER:3016820F7765622E6578616D706C652E636F6D8203610A62");
         }
       }},
      {"policies",
       [](Draft& d, Dice& r) {
         for (std::size_t i = 1; i < d.levels.size(); ++i) {
           set(d.levels[i], r, "certificatePolicies",
               {"", "1.2.3.1", "1.2.3.1,1.2.3.2", "2.5.29.32.0"});
         }
       }},
      {"policy constraints",
       [](Draft& d, Dice& r) {
         for (std::size_t i = 1; i < d.levels.size(); ++i) {
           d.levels[i].with("certificatePolicies",
                            pick(r, Values{"1.2.3.1", "1.2.3.1", "1.2.3.2", ""}));
         }
         set(d.middle(r), r, "policyConstraints",
             {"critical,requireExplicitPolicy:0", "critical,requireExplicitPolicy:1",
              "critical,requireExplicitPolicy:0,inhibitPolicyMapping:0"});
       }},
      {"policy mappings",
       [](Draft& d, Dice& r) {
         for (std::size_t i = 1; i < d.levels.size(); ++i) {
           d.levels[i].with("certificatePolicies",
                            pick(r, Values{"1.2.3.1", "1.2.3.2", "2.5.29.32.0"}));
         }
         d.middle(r).with("policyMappings", "1.2.3.1:1.2.3.2");
         d.middle(r).with("policyConstraints", "critical,requireExplicitPolicy:0");
         if (roll(r, 2) == 0) d.middle(r).with("inhibitAnyPolicy", "critical,0");
       }},
      {"identifier of another key",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.leaf() : d.middle(r))
             .with("authorityKeyIdentifier", "DER:30058003010203");
       }},
      {"no key identifiers",
       [](Draft& d, Dice&) {
         for (Forgery& level : d.levels) {
           level.with("subjectKeyIdentifier", "");
           level.with("authorityKeyIdentifier", "");
         }
       }},
      {"issuer in other letters",
       [](Draft& d, Dice& r) {
         d.leaf().issuer_name =
             pick(r, Values{"O=FORGE,CN=level 1", "O=Forge,CN=level  1", "O=Forge,CN=elsewhere"});
       }},
      {"issuer in another encoding", [](Draft& d, Dice&) { d.leaf().issuer_as_printable = true; }},
      {"leaf of another version",
       [](Draft& d, Dice&) {
         d.leaf().version = 1;
         d.leaf().extensions.clear();
       }},
      {"root of version 1",
       [](Draft& d, Dice&) {
         d.root().version = 1;
         d.root().extensions.clear();
         if (d.levels.size() > 1) d.levels[1].with("authorityKeyIdentifier", "");
       }},
      {"signature by another key",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.leaf() : d.middle(r)).signing_key = key_of(r, "p256");
       }},
      {"self-issued intermediate",
       [](Draft& d, Dice& r) {
         if (d.levels.size() < 4) return;
         d.levels[2].subject = d.levels[1].subject;
         d.levels[2].key = key_of(r, "p256");
         set(d.levels[1], r, "basicConstraints",
             {"critical,CA:TRUE,pathlen:0", "critical,CA:TRUE,pathlen:1"});
       }},
      {"purpose",
       [](Draft& d, Dice& r) {
         d.question.purpose = pick(r, Values{"client", "any", "server"});
       },
       true},
      {"DNS name",
       [](Draft& d, Dice& r) {
         d.question.dns = pick(
             r, Values{"web.example.com", "WEB.example.com", "web.example.com.", "example.com",
                       "a.apps.example.com", "b.a.apps.example.com", "other.example.net", "web"});
         d.question.ip.clear();
       },
       true},
      {"address",
       [](Draft& d, Dice& r) {
         d.question.ip = pick(r, Values{"10.0.0.1", "11.0.0.1", "2001:db8::1"});
         d.question.dns.clear();
       },
       true},
      {"root in the chain",
       [](Draft& d, Dice&) {
         d.afterwards.emplace_back([](Case& q, const std::vector<Identity>& made) {
           q.chain.push_back(made.back().certificate.der());
         });
       },
       true},
      {"chain in another order",
       [](Draft& d, Dice& r) {
         const auto seed = r();
         d.afterwards.emplace_back([seed](Case& q, const std::vector<Identity>&) {
           Dice dice(seed);
           for (std::size_t i = q.chain.size(); i > 2; --i) {
             std::swap(q.chain[i - 1], q.chain[1 + roll(dice, i - 1)]);
           }
         });
       },
       true},
      {"intermediate missing",
       [](Draft& d, Dice&) {
         d.afterwards.emplace_back([](Case& q, const std::vector<Identity>&) {
           if (q.chain.size() > 1) q.chain.erase(q.chain.begin() + 1);
         });
       },
       true},
      {"no root",
       [](Draft& d, Dice&) {
         d.afterwards.emplace_back([](Case& q, const std::vector<Identity>&) { q.roots.clear(); });
       },
       true},
      {"intermediate as the root",
       [](Draft& d, Dice& r) {
         const bool also = roll(r, 2) == 0;
         d.afterwards.emplace_back([also](Case& q, const std::vector<Identity>& made) {
           if (made.size() < 3) return;
           if (!also) q.roots.clear();
           q.roots.push_back(made[1].certificate.der());
         });
       },
       true},
      {"leaf as the root",
       [](Draft& d, Dice& r) {
         const bool also = roll(r, 2) == 0;
         d.afterwards.emplace_back([also](Case& q, const std::vector<Identity>&) {
           if (!also) q.roots.clear();
           q.roots.push_back(q.chain.front());
         });
       },
       true},
      {"root as the leaf",
       [](Draft& d, Dice& r) {
         const bool trusted = roll(r, 2) == 0;
         d.afterwards.emplace_back([trusted](Case& q, const std::vector<Identity>& made) {
           q.chain = {made.back().certificate.der()};
           if (!trusted) q.roots.clear();
         });
       },
       true},
      {"bridge under another root", [](Draft& d, Dice&) { bridge(d, false, false, true); }, true},
      {"bridge and both roots", [](Draft& d, Dice&) { bridge(d, true, false, false); }, true},
      {"expired bridge first", [](Draft& d, Dice&) { bridge(d, true, true, false); }, true},
      {"expired bridge alone", [](Draft& d, Dice&) { bridge(d, false, true, true); }, true},
      {"two bridges, one expired",
       [](Draft& d, Dice&) {
         d.afterwards.emplace_back([](Case& q, const std::vector<Identity>& made) {
           Forgery other;
           other.subject = "O=Forge,CN=Other Root";
           const Identity b = pki::testing::forge_root(other);
           Forgery cross = ca_like(Forgery{});
           cross.subject = made.back().certificate.facts().subject;
           cross.key = made.back().key;
           const base::Bytes good = below(cross, b).certificate.der();
           cross.not_after = kNow - base::days(1);
           q.chain.push_back(below(cross, b).certificate.der());
           q.chain.push_back(good);
           q.roots = {b.certificate.der()};
         });
       },
       true},
      {"self-signed root before the bridge",
       [](Draft& d, Dice&) {
         d.afterwards.emplace_back([](Case& q, const std::vector<Identity>& made) {
           q.chain.push_back(made.back().certificate.der());
         });
         bridge(d, false, false, true);
       },
       true},
      {"two roots of one name",
       [](Draft& d, Dice& r) {
         const bool identified = roll(r, 2) == 0;
         const bool first = roll(r, 2) == 0;
         if (!identified) {
           for (Forgery& level : d.levels) {
             level.with("subjectKeyIdentifier", "");
             level.with("authorityKeyIdentifier", "");
           }
         }
         d.afterwards.emplace_back([identified, first](Case& q, const std::vector<Identity>& made) {
           Forgery twin;
           twin.subject = made.back().certificate.facts().subject;
           if (!identified) twin.with("subjectKeyIdentifier", "");
           q.roots.insert(first ? q.roots.begin() : q.roots.end(),
                          pki::testing::forge_root(twin).certificate.der());
         });
       },
       true},
      {"namesake with another key",
       [](Draft& d, Dice& r) {
         const bool identified = roll(r, 2) == 0;
         d.afterwards.emplace_back([identified](Case& q, const std::vector<Identity>& made) {
           if (made.size() < 3) return;
           Forgery twin = ca_like(Forgery{});
           twin.subject = made[1].certificate.facts().subject;
           twin.serial = "77";
           if (!identified) twin.with("subjectKeyIdentifier", "");
           put_before_the_rest(q, below(twin, made.back()).certificate.der());
         });
       },
       true},
      {"strangers",
       [](Draft& d, Dice&) {
         d.afterwards.emplace_back([](Case& q, const std::vector<Identity>&) {
           Forgery stranger;
           stranger.subject = "O=Forge,CN=Stranger";
           put_before_the_rest(q, pki::testing::forge_root(stranger).certificate.der());
         });
       },
       true},
      {"very deep",
       [](Draft& d, Dice& r) {
         while (d.levels.size() < 8 + roll(r, 3)) {
           Forgery more = ca_like(Forgery{});
           more.subject = "O=Forge,CN=deep " + std::to_string(d.levels.size());
           more.key = key_of(r, "p256");
           d.levels.insert(d.levels.begin() + 1, more);
         }
       }},
  };
  return all;
}

}  // namespace

std::span<const Dimension> dimensions() {
  return table();
}

}  // namespace meshtrust::interop
