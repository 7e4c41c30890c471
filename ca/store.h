#pragma once

#include "base/result.h"
#include "ca/environment.h"
#include "ca/ledger.h"
#include "pki/certificate.h"
#include "pki/key.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ca {

class Database;
class FolderLock;

/// A root of this store.
struct Root {
  pki::Certificate certificate;
  std::string id;  ///< the first 16 hex digits of its key's id; names its key file
  /// The subject as it was asked for, without the generation that minting put into it. This is
  /// what a mesh file's `trust.root.subject` is compared with.
  std::string declared_subject;
  base::Instant minted_at;
  std::filesystem::path key_file;
  bool key_is_encrypted = true;  ///< false: no passphrase is needed (nor wanted)
  /// What stands above a root that another organisation's CA has certified, see `LedgerEntry`.
  std::vector<pki::Certificate> above = {};

  /// The certificate that intermediates name as their issuer.
  const pki::Certificate& issuer() const { return above.empty() ? certificate : above.front(); }
  /// What a chain holds between an intermediate and the anchor.
  std::vector<pki::Certificate> between() const {
    return above.empty() ? above : std::vector(above.begin(), above.end() - 1);
  }
  /// What to trust.
  const pki::Certificate& anchor() const { return above.empty() ? certificate : above.back(); }
  const std::string& fingerprint() const { return certificate.fingerprint(); }
};

/// The right to write to a store. One holder at a time over all processes; let go of when this
/// object goes, and by the kernel when the process dies.
class StoreLock {
 public:
  StoreLock(StoreLock&&) noexcept;
  StoreLock& operator=(StoreLock&&) noexcept;
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;
  ~StoreLock();

 private:
  friend class TrustStore;
  StoreLock(std::unique_ptr<base::FileLock> lock,
            std::unique_ptr<FolderLock> folder,
            std::unique_ptr<Database> database);

  // The database closes before the locks are let go of.
  std::unique_ptr<base::FileLock> lock_;
  std::unique_ptr<FolderLock> folder_;
  std::unique_ptr<Database> database_;
};

/// How far a ledger is vouched for.
struct Coverage {
  std::int64_t lines = 0;
  std::int64_t signed_lines = 0;        ///< by the key of a root; 0 for none
  std::vector<std::string> since = {};  ///< names of the events after those, each once
};

/// The trust store: a folder with the root key, the ledger of everything issued and done, and a
/// lock. Reading takes no lock, needs no passphrase and writes nothing, with one exception: a write
/// that was killed half-way is rolled back by the first reader that may do so.
///
/// What it returns are copies of what was last read; it may be called from several threads.
///
/// Whoever can write to the folder cannot make it say what he wants: each line that is added while
/// the root's key is open is signed with it, together with all before, and what stands behind the
/// last signature is only believed if it needs no key (see `Ledger::assemble`). What he can do is
/// put an older copy of the whole in place, or another store with a root of his own, and take away
/// or add lines behind the last signature: deliveries, revocations.
///
/// Opening reads all of it, which takes a second for some twenty thousand certificates; what takes
/// longer is told by `Environment::tell`.
///
/// Errors common to all functions: kCorrupt (with what is wrong and what to do; nothing goes on
/// after it), kPermission (somebody else's, open to others, or read-only), kInvalidInput (written
/// by a newer meshtrust), kInternal (disk full, input/output error).
class TrustStore {
 public:
  /// Opens the store at `path` for reading. kNotFound when there certainly is none: no folder where
  /// one could be, an empty one, or one whose creation was interrupted; `create` is next in each of
  /// these cases. A store of which something is lost or cannot be read is another error, and so is
  /// a folder with something else in it (kRefused).
  static base::Result<TrustStore> open(const Environment& environment,
                                       const std::filesystem::path& path);

  /// Creates a store (the folder above it must exist), or finishes a creation that was interrupted.
  /// kConflict when there is one already, kRefused for a folder that holds anything else, for a
  /// symbolic link and for a path that Git tracks, or of which that cannot be told; kLocked while
  /// another run creates it.
  static base::Result<TrustStore> create(const Environment& environment,
                                         const std::filesystem::path& path,
                                         const Who& who);

  TrustStore(TrustStore&&) noexcept;
  TrustStore& operator=(TrustStore&&) noexcept;
  TrustStore(const TrustStore&) = delete;
  TrustStore& operator=(const TrustStore&) = delete;
  ~TrustStore();

  const std::filesystem::path& path() const;
  const Environment& environment() const;

  /// The root that signs: the one minted last. None before `mint_root`.
  std::optional<Root> root() const;
  /// All roots, oldest first.
  std::vector<Root> roots() const;
  /// Everything issued, oldest first, roots included.
  std::vector<LedgerEntry> issued() const;
  /// What was issued under this fingerprint (SHA-256, lower-case hex). That, and no label, is what
  /// makes a live certificate ours.
  std::optional<LedgerEntry> find(std::string_view fingerprint) const;
  /// Intermediates that were minted and are not known to have arrived.
  std::vector<LedgerEntry> undelivered() const;
  /// Keys that wait for a certificate from elsewhere, oldest first.
  std::vector<PendingRequest> requests() const;
  /// Everything done, oldest first.
  std::vector<Action> log() const;
  /// How much of that is signed.
  Coverage coverage() const;

  /// Takes the lock, sweeps up what killed runs left (temporary files, half-done writes), and reads
  /// everything again. `holder` is what others are shown: see `describe_holder`. kLocked, naming
  /// the holder, when another run (or this one) has it, also where the lock file was removed since;
  /// kRefused when Git tracks the folder. Where that cannot be told, it says so and goes on: a
  /// revocation must not wait for Git.
  base::Result<StoreLock> lock(std::string_view holder);

  /// Records what became of a certificate: kPushing, kPushed or kAbandoned.
  /// On disk for good when it returns, and signed where `root_key` is there. Recording the same
  /// again is nothing new and adds no line.
  /// kNotFound when this ledger did not issue it, kConflict when it is a root, or was pushed or
  /// abandoned before and is to be pushed again (its key is gone).
  base::Status record(const StoreLock& lock,
                      std::string_view fingerprint,
                      Event event,
                      const Who& who,
                      std::string_view detail = {},
                      const pki::Signer* root_key = nullptr);

  /// Signs the ledger as it is, where its last lines are not signed yet: what a run does that has
  /// the key open and nothing to record. There is a root. kRefused for another's key.
  base::Status sign(const StoreLock& lock, const pki::Signer& root_key);

  /// For this room: adds one line, the certificate that it mints, and, with `root_key`, the
  /// signature over the ledger up to it, in one transaction: killed, all of it is there or nothing.
  /// Sequence number and time are filled in here. kRefused without the key for what is never done
  /// without it (`needs_root_key`).
  base::Status append(const StoreLock& lock,
                      Action action,
                      const pki::Certificate* certificate = nullptr,
                      const pki::Signer* root_key = nullptr);
  /// For `mint_root` only: ids of keys that were planned and never became a root.
  std::vector<std::string> planned_keys() const;

 private:
  struct State;
  explicit TrustStore(std::unique_ptr<State> state);
  static base::Result<TrustStore> load(const Environment& environment,
                                       const std::filesystem::path& path);

  std::unique_ptr<State> state_;
};

/// "pid 4242 of alice@laptop since 2026-11-21T10:00:00Z: meshtrust apply".
std::string describe_holder(const Who& who, long pid, base::Instant since);

}  // namespace meshtrust::ca
