#include "checkers/explain/sources.h"

#include <algorithm>

namespace ordeal {
namespace {

constexpr const char* kAdya =
    "A. Adya, Weak Consistency: A Generalized Theory and Optimistic Implementations for Distributed Transactions, MIT, "
    "1999";
constexpr const char* kElle =
    "K. Kingsbury, P. Alvaro, Elle: Inferring Isolation Anomalies from Experimental Observations, VLDB 2020";
constexpr const char* kBiswas =
    "R. Biswas, C. Enea, On the Complexity of Checking Transactional Consistency, OOPSLA 2019";
constexpr const char* kCerone =
    "A. Cerone, G. Bernardi, A. Gotsman, A Framework for Transactional Consistency Models with Atomic Visibility, "
    "CONCUR 2015";
constexpr const char* kBerenson = "H. Berenson et al., A Critique of ANSI SQL Isolation Levels, SIGMOD 1995";
constexpr const char* kBouajjani =
    "A. Bouajjani, C. Enea, R. Guerraoui, J. Hamza, On Verifying Causal Consistency, POPL 2017";
constexpr const char* kTerry = "D. Terry et al., Session Guarantees for Weakly Consistent Replicated Data, PDIS 1994";
constexpr const char* kHerlihy =
    "M. Herlihy, J. Wing, Linearizability: A Correctness Condition for Concurrent Objects, TOPLAS 12 (1990)";
constexpr const char* kShapiro =
    "M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski, A comprehensive study of Convergent and Commutative Replicated "
    "Data Types, INRIA RR-7506, 2011";
constexpr const char* kJepsen = "Jepsen's workload of the same kind (jepsen.io)";
constexpr const char* kHohpe = "G. Hohpe, B. Woolf, Enterprise Integration Patterns, Addison-Wesley 2003";

struct Source {
  std::string_view of;  // an anomaly, a beginning of its name with '*', or a model with '@' before it
  const char* text;
};

constexpr Source kSources[] = {
    {"nonlinearizable", kHerlihy},
    {"nonsequential",
     "L. Lamport, How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs, IEEE ToC C-28 "
     "(1979)"},
    {"ThinAirRead", kBouajjani},
    {"Cyclic*", kBouajjani},
    {"WriteCO*", kBouajjani},
    {"WriteHB*", kBouajjani},
    {"nonpram", "R. Lipton, J. Sandberg, PRAM: A Scalable Shared Memory, Princeton CS-TR-180-88, 1988"},
    {"stale-own-write", kTerry},
    {"non-monotonic-read", kTerry},
    {"non-monotonic-write", kTerry},
    {"write-before-read-version", kTerry},
    {"read-before-write", "L. Lamport, On Interprocess Communication, Distributed Computing 1 (1986)"},
    {"non-k-atomic", "A. Aiyer, L. Alvisi, R. Bazzi, On the Availability of Non-strict Quorum Systems, DISC 2005"},
    {"bound-exceeded",
     "W. Golab, X. Li, M. Shah, Analyzing Consistency Properties for Fun and Profit, PODC 2011 (Delta-atomicity)"},
    {"stale-read", kHerlihy},
    {"divergence", kShapiro},
    {"minority-write",
     "S. Gilbert, N. Lynch, Brewer's Conjecture and the Feasibility of Consistent, Available, Partition-Tolerant Web "
     "Services, SIGACT News 33 (2002)"},
    {"unrecovered", "session/conclusion.h"},
    {"slow-recovery", "checkers/run/recovery.h"},
    {"crash-in-log", "checkers/run/log_pattern.h"},
    {"G*", kAdya},
    {"G*", kElle},
    {"G-prefix*", kCerone},
    {"internal", kElle},
    {"internal", kCerone},
    {"missed-own-write", kElle},
    {"future-read", kElle},
    {"garbage-read", kElle},
    {"duplicate-elements", kElle},
    {"incompatible-order", kElle},
    {"dirty-update", kElle},
    {"lost-update", kBerenson},
    {"cyclic-versions", kElle},
    {"non-monotonic-read*",
     "P. Bailis et al., Highly Available Transactions: Virtues and Limitations, VLDB 2013 (Observed Transaction "
     "Vanishes)"},
    {"non-monotonic-read-*", kBiswas},
    {"fractured-read*", "P. Bailis et al., Scalable Atomic Visibility with RAMP Transactions, SIGMOD 2014"},
    {"fractured-read*", kBiswas},
    {"session-violation*", kBiswas},
    {"session-violation*", kTerry},
    {"causality-violation*", kBiswas},
    {"no-*", kBiswas},
    {"no-*", kAdya},
    {"@bank", kJepsen},
    {"aba",
     "T. Dechev, P. Pirkelbauer, B. Stroustrup, Understanding and Effectively Preventing the ABA Problem, ISORC 2010"},
    {"@cas-by-version", kHerlihy},
    {"@set-full", kJepsen},
    {"@causal-reverse", kJepsen},
    {"missing-dependency", kBouajjani},
    {"@concurrency-limit", "E. W. Dijkstra, Cooperating Sequential Processes, EWD-123, 1965 (semaphores)"},
    {"@convergence", kShapiro},
    {"@or-set", kShapiro},
    {"@lww-map", kShapiro},
    {"@counter", kJepsen},
    {"@dead-letter", kHohpe},
    {"@queue", "T. A. Henzinger, A. Sezgin, V. Vafeiadis, Aspect-Oriented Linearizability Proofs, CONCUR 2013"},
    {"@durability", "ISO 22301, Business continuity management systems (recovery point and recovery time objectives)"},
    {"@g2", kAdya},
    {"@idempotency", "J. Jena, S. Dalal, The Idempotency-Key HTTP Header Field, IETF draft"},
    {"@idempotency-keys", "J. Jena, S. Dalal, The Idempotency-Key HTTP Header Field, IETF draft"},
    {"@kafka", kJepsen},
    {"@lock", "M. Burrows, The Chubby Lock Service for Loosely-Coupled Distributed Systems, OSDI 2006 (sequencers)"},
    {"@leader-election",
     "D. Ongaro, J. Ousterhout, In Search of an Understandable Consensus Algorithm, USENIX ATC 2014 (terms)"},
    {"@long-fork", "Y. Sovran et al., Transactional Storage for Geo-replicated Systems, SOSP 2011 (long fork)"},
    {"@monotonic", kJepsen},
    {"@sequential-writes", kJepsen},
    {"@transparency-log", "RFC 6962, Certificate Transparency, section 2.1 (Merkle hash trees)"},
    {"@unique-ids", kJepsen},
    {"@ordered-ids", "RFC 9562, Universally Unique IDentifiers, section 6.2"},
    {"@outbox", "C. Richardson, Microservices Patterns, Manning 2018 (transactional outbox)"},
    {"@overdraft", kBerenson},
    {"@rate-limit", "RFC 6585, Additional HTTP Status Codes, section 4 (429 Too Many Requests)"},
    {"@token-bucket", "J. Turner, New Directions in Communications, IEEE Communications Magazine 24 (1986)"},
    {"@ledger", "M. Fowler, Event Sourcing, and CQRS (martinfowler.com)"},
    {"@ledger", "H. T. Kung, J. T. Robinson, On Optimistic Methods for Concurrency Control, ACM TODS 6 (1981)"},
    {"@read-model", "M. Fowler, Event Sourcing, and CQRS (martinfowler.com)"},
    {"@saga", "H. Garcia-Molina, K. Salem, Sagas, SIGMOD 1987"},
};

bool is_of(std::string_view of, std::string_view anomaly, std::string_view model) {
  if (of.front() == '@') return of.substr(1) == model;
  return of.back() == '*' ? anomaly.starts_with(of.substr(0, of.size() - 1)) : of == anomaly;
}

}  // namespace

std::vector<std::string> sources_of(std::string_view anomaly, std::string_view model) {
  std::vector<std::string> out;
  for (const Source& source : kSources) {
    if (!is_of(source.of, anomaly, model)) continue;
    if (std::find(out.begin(), out.end(), source.text) == out.end()) out.emplace_back(source.text);
  }
  return out;
}

}  // namespace ordeal
