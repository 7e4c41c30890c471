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

const std::vector<Dimension>& table() {
  static const std::vector<Dimension> all = {
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
         d.question.dns =
             pick(r, Values{"web.example.com", "WEB.example.com", "web.example.com.", "example.com",
                            "a.apps.example.com", "b.a.apps.example.com", "_a.apps.example.com",
                            "other.example.net", "web"});
         d.question.ip.clear();
       },
       true},
      {"address",
       [](Draft& d, Dice& r) {
         d.question.ip = pick(r, Values{"10.0.0.1", "11.0.0.1", "2001:db8::1"});
         d.question.dns.clear();
       },
       true},
      {"odd name that is asked for",
       [](Draft& d, Dice& r) {
         d.question.dns = pick(r, Values{"*.apps.example.com",
                                         "*",
                                         "web..example.com",
                                         "web.example.com..",
                                         ".web.example.com",
                                         ".",
                                         "web_1.example.com",
                                         "-web.example.com",
                                         "web-.example.com",
                                         "we b",
                                         "web.example.com:443",
                                         "xn--x.example.com",
                                         "web.1",
                                         "1.2.3",
                                         "10.0.0.1",
                                         "10.0.0.1.",
                                         "010.0.0.1",
                                         "0x0a.0.0.1",
                                         "[10.0.0.1]",
                                         "::1",
                                         "[::1]",
                                         "[::1",
                                         "[fe80::1%25eth0]",
                                         "fe80::1%eth0",
                                         "::ffff:10.0.0.1",
                                         "0:0::0:1",
                                         "WEB.EXAMPLE.COM",
                                         "[web.example.com]"});
         d.question.ip.clear();
         if (roll(r, 2) == 0) return;
         d.leaf().with("subjectAltName", "IP:10.0.0.1,IP:::1,IP:fe80::1,DNS:*,DNS:" +
                                             (roll(r, 3) == 0 ? "*.example.com" : d.question.dns));
       },
       true},
      {"address that is asked for in another form",
       [](Draft& d, Dice& r) {
         d.question.ip = pick(r, Values{"::ffff:10.0.0.1", "0:0::0:1", "::FFFF:a00:1", "10.0.0.01",
                                        "10.0.1", "::1%lo", "fe80::1", "[::1]", "::1:"});
         d.question.dns.clear();
         set(d.leaf(), r, "subjectAltName",
             {"IP:10.0.0.1,IP:::1,IP:fe80::1", "IP:::ffff:10.0.0.1", "DNS:web.example.com"});
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

std::span<const Dimension> dimensions_of_questions() {
  return table();
}

std::span<const Dimension> dimensions() {
  static const std::vector<Dimension> all = [] {
    std::vector<Dimension> joined;
    for (const auto& some :
         {dimensions_of_certificates(), dimensions_of_encodings(), dimensions_of_names(),
          dimensions_of_constraints(), dimensions_of_questions()}) {
      joined.insert(joined.end(), some.begin(), some.end());
    }
    return joined;
  }();
  return all;
}

}  // namespace meshtrust::interop
