#include "tests/interop/verifiers/corpus.h"

#include <botan/auto_rng.h>
#include <botan/ecdsa.h>
#include <botan/x509_ca.h>
#include <botan/x509self.h>
#include <openssl/x509.h>

#include <map>

namespace meshtrust::interop {
namespace {

using pki::testing::Forgery;
using pki::testing::Identity;
using pki::testing::Key;
using pki::testing::kNow;

Key make_key(std::string_view type) {
  if (type == "ed25519") return pki::testing::ed25519_key();
  if (const auto exponent = type.find("-e"); exponent != std::string_view::npos) {
    return pki::testing::rsa_key_with_exponent(type.substr(exponent + 2));
  }
  if (type.starts_with("rsa-")) {
    return pki::testing::rsa_key(static_cast<unsigned>(std::stoi(std::string(type.substr(4)))));
  }
  const std::string curve = "P-" + std::string(type.substr(1));
  return pki::testing::ec_key(curve.c_str());
}

Draft plain_draft(Dice& dice) {
  Draft draft;
  const std::size_t intermediates = roll(dice, 8) == 0 ? 0 : 1 + roll(dice, 2);
  Forgery root;
  root.key = key_of(dice, "p256");
  draft.levels.push_back(root);
  for (std::size_t i = 1; i <= intermediates; ++i) {
    Forgery ca = pki::testing::intermediate_forgery("O=Forge,CN=level " + std::to_string(i));
    ca.with("basicConstraints", "critical,CA:TRUE");
    ca.key = key_of(dice, "p256");
    draft.levels.push_back(ca);
  }
  Forgery leaf = pki::testing::leaf_forgery();
  leaf.subject = "O=Forge,CN=web";
  leaf.with("subjectAltName", "DNS:web.example.com,DNS:*.apps.example.com,IP:10.0.0.1");
  leaf.key = key_of(dice, "p256");
  draft.levels.push_back(leaf);
  return draft;
}

/// Each level below the one before; then the pools. An identity that OpenSSL alone can read would
/// do as well, but Go's and ours want it too.
Case finish(Draft& draft) {
  std::vector<Identity> made;  // leaf first, once reversed
  made.push_back(pki::testing::forge_root(draft.root()));
  for (std::size_t i = 1; i < draft.levels.size(); ++i) {
    made.push_back(below(draft.levels[i], made.back()));
  }
  std::reverse(made.begin(), made.end());
  Case& question = draft.question;
  for (std::size_t i = 0; i + 1 < made.size(); ++i) {
    question.chain.push_back(made[i].certificate.der());
  }
  question.roots = {made.back().certificate.der()};
  for (const auto& then : draft.afterwards) {
    then(question, made);
  }
  return question;
}

/// A root, an intermediate and a leaf by Botan.
Case made_by_botan(Dice& dice) {
  Botan::AutoSeeded_RNG random;
  const Botan::EC_Group group("secp256r1");
  const auto time = [](int days) {
    return Botan::X509_Time(std::chrono::system_clock::time_point(kNow) +
                            std::chrono::hours(24 * days));
  };
  const auto options = [&time](const std::string& name) {
    Botan::X509_Cert_Options wanted(name + "//Botan");
    wanted.start = time(-10);
    wanted.end = time(300);
    return wanted;
  };
  const Botan::ECDSA_PrivateKey root_key(random, group);
  Botan::X509_Cert_Options root_options = options("Botan Root");
  root_options.CA_key();
  const auto root = Botan::X509::create_self_signed_cert(root_options, root_key, "SHA-256", random);
  const Botan::X509_CA root_ca(root, root_key, "SHA-256", random);
  const Botan::ECDSA_PrivateKey east_key(random, group);
  Botan::X509_Cert_Options east_options = options("Botan East");
  east_options.CA_key(roll(dice, 2));
  const auto east =
      root_ca.sign_request(Botan::X509::create_cert_req(east_options, east_key, "SHA-256", random),
                           random, time(-5), time(200));
  const Botan::X509_CA east_ca(east, east_key, "SHA-256", random);
  const Botan::ECDSA_PrivateKey leaf_key(random, group);
  Botan::X509_Cert_Options leaf_options = options("Botan Web");
  leaf_options.dns = "web.example.com";
  leaf_options.add_constraints(Botan::Key_Constraints(Botan::DIGITAL_SIGNATURE));
  leaf_options.add_ex_constraint(roll(dice, 3) == 0 ? "PKIX.ClientAuth" : "PKIX.ServerAuth");
  const auto leaf =
      east_ca.sign_request(Botan::X509::create_cert_req(leaf_options, leaf_key, "SHA-256", random),
                           random, time(-1), time(100));
  Case question;
  question.maker = "botan";
  question.chain = {leaf.BER_encode(), east.BER_encode()};
  question.roots = {root.BER_encode()};
  question.at = kNow + base::days(static_cast<int>(roll(dice, 4)) * 70);
  return question;
}

base::Bytes public_key_of(const Key& key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  base::Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

/// A root and an intermediate by meshtrust, and below them what istiod issues.
Case made_by_us(Dice& dice) {
  static const auto root_key = *pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256);
  base::SystemRandom random;
  const auto root = *pki::issue_root(pki::testing::wanted_ca("O=Shop,CN=Root"), root_key, random);
  const Key east_key = key_of(dice, roll(dice, 2) == 0 ? "p256" : "p384");
  const auto east =
      *pki::issue_intermediate(pki::testing::wanted_ca("O=Shop,CN=East", base::days(730)),
                               public_key_of(east_key), root, root_key, random);
  Forgery leaf = pki::testing::leaf_forgery();
  leaf.not_after = kNow + base::days(700);
  Case question;
  question.maker = "meshtrust";
  question.chain = {below(leaf, {east, east_key}).certificate.der(), east.der()};
  question.roots = {root.der()};
  question.purpose = pick(dice, std::vector<std::string>{"any", "server", "client"});
  question.at = kNow + base::days(static_cast<int>(roll(dice, 4)) * 300);
  return question;
}

}  // namespace

std::size_t roll(Dice& dice, std::size_t count) {
  return dice() % count;
}

Key key_of(Dice& dice, std::string_view type) {
  constexpr std::size_t kOfEach = 4;
  static std::map<std::string, std::vector<Key>> pool;
  std::vector<Key>& keys = pool[std::string(type)];
  const std::size_t which = roll(dice, type.starts_with("rsa-") ? 2 : 4 * kOfEach);
  while (keys.size() <= which) {
    keys.push_back(make_key(type));
  }
  return keys[which];
}

Identity below(Forgery wanted, const Identity& issuer) {
  const bool identified = issuer.certificate.facts().subject_key_id.has_value();
  for (const auto& [name, value] : wanted.extensions) {
    if (name != "authorityKeyIdentifier" || value != "keyid:always" || identified) continue;
    wanted.with(name, "");
    break;
  }
  return pki::testing::forge(wanted, issuer);
}

Forgery& Draft::middle(Dice& dice) {
  return levels.size() < 3 ? levels.front() : levels[1 + roll(dice, levels.size() - 2)];
}

std::vector<Case> make_corpus(std::uint64_t seed, std::size_t count) {
  Dice dice(seed);
  std::vector<Case> cases;
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::size_t kOneInTwenty = 20;
    const std::size_t maker = roll(dice, kOneInTwenty);
    Case made;
    if (maker == 0) {
      made = made_by_botan(dice);
      made.dimensions = {"maker and time"};
    } else if (maker == 1) {
      made = made_by_us(dice);
      made.dimensions = {"maker and time"};
    } else {
      Draft draft = plain_draft(dice);
      const std::size_t spoilt = roll(dice, 20) == 0 ? 0 : 1 + roll(dice, 3);
      for (std::size_t k = 0; k < spoilt; ++k) {
        const Dimension& dimension = dimensions()[roll(dice, dimensions().size())];
        dimension.spoil(draft, dice);
        draft.question.dimensions.emplace_back(dimension.name);
      }
      made = finish(draft);
    }
    made.id = std::to_string(seed) + "-" + std::to_string(i);
    cases.push_back(std::move(made));
  }
  return cases;
}

}  // namespace meshtrust::interop
