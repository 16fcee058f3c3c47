// d(Σ xᵢ²)/dx = 2x, by an installed inkstone: headers, archive and link line are complete.
#include <inkstone.h>

#include <iostream>
#include <vector>

int main() {
  ink::Tensor x = ink::from(std::vector<float>{1, 2, 3, 4});
  ink::Tape tape;
  tape.watch(x);
  const ink::Gradients gradients = tape.backward(ink::sum(ink::multiply(x, x)));
  const auto dx = ink::to_vector<float>(gradients[x]);
  std::cout << "d(1 + 4 + 9 + 16) = " << dx[0] << ' ' << dx[1] << ' ' << dx[2] << ' ' << dx[3]
            << '\n';
  return dx == std::vector<float>{2, 4, 6, 8} ? 0 : 1;
}
