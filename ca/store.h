#pragma once

#include "base/result.h"
#include "ca/environment.h"
#include "ca/root_keys.h"
#include "ledger/ledger.h"
#include "pki/certificate.h"
#include "pki/key.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ca {

class FolderLock;

/// A root of this store, and where its key is.
struct Root : ledger::Root {
  std::string id = {};  ///< the first 16 hex digits of its key's id; names its key
  /// The subject as it was asked for, without the generation that minting put into it. This is
  /// what a mesh file's `trust.root.subject` is compared with.
  std::string declared_subject = {};
  std::filesystem::path key_file = {};  ///< empty where it is gone and may be
  bool key_is_encrypted = true;         ///< false: no passphrase is needed (nor wanted)
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
            std::unique_ptr<StorageWriter> writer);

  // The storage closes before the locks are let go of.
  std::unique_ptr<base::FileLock> lock_;
  std::unique_ptr<FolderLock> folder_;
  std::unique_ptr<StorageWriter> writer_;
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
/// last signature is only believed if it needs no key (see `ledger::Ledger::assemble`). What he can
/// do is put an older copy of the whole in place, or another store with a root of his own, and take
/// away or add lines behind the last signature: deliveries, revocations.
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
  /// a folder with something else in it (kRefused). `vouched` are roots that the caller knows from
  /// elsewhere: kRefused when another stands there that nothing in the ledger vouches for.
  static base::Result<TrustStore> open(const Environment& environment,
                                       const std::filesystem::path& path,
                                       const ledger::VouchedRoots& vouched = {});

  /// Creates a store (the folder above it must exist), or finishes a creation that was interrupted.
  /// kConflict when there is one already, kRefused for a folder that holds anything else, for a
  /// symbolic link and for a path that Git tracks, or of which that cannot be told; kLocked while
  /// another run creates it.
  static base::Result<TrustStore> create(const Environment& environment,
                                         const std::filesystem::path& path,
                                         const ledger::Who& who);

  TrustStore(TrustStore&&) noexcept;
  TrustStore& operator=(TrustStore&&) noexcept;
  TrustStore(const TrustStore&) = delete;
  TrustStore& operator=(const TrustStore&) = delete;
  ~TrustStore();

  const std::filesystem::path& path() const;
  const Environment& environment() const;

  /// The root that signs: the current one. None before `mint_root`.
  std::optional<Root> root() const;
  /// The root of this fingerprint.
  std::optional<Root> root(std::string_view fingerprint) const;
  /// All roots, oldest first, retired ones too.
  std::vector<Root> roots() const;
  /// Everything issued, oldest first, roots included.
  std::vector<ledger::Authority> issued() const;
  /// What was issued under this fingerprint (SHA-256, lower-case hex). That, and no label, is what
  /// makes a live certificate ours.
  std::optional<ledger::Authority> find(std::string_view fingerprint) const;
  /// Intermediates that were minted and are not known to have arrived.
  std::vector<ledger::Authority> undelivered() const;
  /// Keys that wait for a certificate from elsewhere, oldest first.
  std::vector<ledger::PendingRequest> requests() const;
  /// Everything done, oldest first.
  std::vector<ledger::Record> log() const;
  /// How much of that is signed.
  Coverage coverage() const;
  /// What `question` says of the ledger, which nobody adds to meanwhile.
  template <class Question>
  auto ask(Question question) const {
    const std::unique_lock<std::mutex> guard = hold();
    return question(ledger_held());
  }

  /// Takes the lock, sweeps up what killed runs left (temporary files, half-done writes), and reads
  /// everything again. `holder` is what others are shown: see `describe_holder`. kLocked, naming
  /// the holder, when another run (or this one) has it, also where the lock file was removed since;
  /// kRefused when Git tracks the folder. Where that cannot be told, it says so and goes on: a
  /// revocation must not wait for Git.
  base::Result<StoreLock> lock(std::string_view holder);

  /// Records what became of a certificate: `ledger::Pushing`, `Pushed` or `Abandoned`, whose
  /// cluster is filled in here.
  /// On disk for good when it returns, and signed where `keys` are there. Recording the same again
  /// is nothing new and adds no line.
  /// kNotFound when this ledger did not issue it, kConflict when it is a root, or was pushed or
  /// abandoned before and is to be pushed again (its key is gone).
  base::Status record(const StoreLock& lock,
                      ledger::Event event,
                      const ledger::Who& who,
                      const RootKeys& keys = {});

  /// Signs the ledger as it is, where its last lines are not signed yet: what a run does that has
  /// the key open and nothing to record. There is a root. kRefused for another's key.
  base::Status sign(const StoreLock& lock, const pki::Signer& root_key);

  /// For this room: adds one line, the certificate that it mints, and, with `keys`, the signature
  /// of each over the ledger up to it, in one transaction: killed, all of it is there or nothing.
  /// kRefused without the keys for what is never done without them (`Hierarchy::keys_needed`), and
  /// for one that is no root's of this ledger, or a retired one's.
  base::Status append(const StoreLock& lock,
                      const ledger::Who& who,
                      ledger::Event event,
                      const RootKeys& keys = {});
  /// For `mint_root` only: names of keys that were planned and never became a root.
  std::vector<std::string> planned_keys() const;
  /// For this room: who has the keys.
  Custody& custody() const;

 private:
  struct State;
  explicit TrustStore(std::unique_ptr<State> state);
  static base::Result<TrustStore> load(const Environment& environment,
                                       const std::filesystem::path& path,
                                       const ledger::VouchedRoots& vouched);
  std::unique_lock<std::mutex> hold() const;
  const ledger::Ledger& ledger_held() const;

  std::unique_ptr<State> state_;
};

/// "pid 4242 of alice@laptop since 2026-11-21T10:00:00Z: meshtrust apply".
std::string describe_holder(const ledger::Who& who, long pid, base::Instant since);

}  // namespace meshtrust::ca
