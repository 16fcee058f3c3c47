// One process alone, and what mpirun says in the environment.
#include "autograd/communicator.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace ink {
namespace {

std::optional<int> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (!text) return std::nullopt;
  const std::string_view digits(text);
  int value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

Communicator& alone() {
  static Communicator one;
  return one;
}

bool any(Communicator& processes, bool here) {
  return std::ranges::count(processes.gather(here ? "yes" : "no"), "yes") > 0;
}

std::string from_first(Communicator& processes, const std::string& text) {
  return processes.gather(processes.is_first() ? text : std::string()).front();
}

std::optional<Launch> launched_by_mpi() {
  constexpr const char* kVariables[][3] = {
      {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
      {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"}};
  for (const auto& [rank, size, local] : kVariables) {
    const std::optional<int> r = number_in(rank), n = number_in(size);
    if (r && n) return Launch{*r, *n, number_in(local).value_or(*r)};
  }
  return std::nullopt;
}

}  // namespace ink
