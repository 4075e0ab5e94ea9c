// A group member: sends the lines that it reads, prints what the group delivers. Build and run it:
//   c++ -std=c++17 member.cpp $(pkg-config --cflags --libs isis) -o member
//   ./member "id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002 peer=3@127.0.0.1:7003"
// A line goes out as BCAST (all print these in one order), one that begins with '+' as OBCAST.
#include <isis.hpp>

#include <iostream>
#include <string>

int main(int argc, char **argv)
try {
    isis::Site site(argc > 1 ? argv[1] : nullptr); // nullptr: ISIS_CONFIG
    isis::Process process = site.process("member");
    isis::Callbacks callbacks;
    callbacks.deliver = [](isis::Group, isis::MessageRef message) {
        std::cout << message.sender().site << " says " << message.text() << std::endl;
    };
    callbacks.view = [](isis::Group, const isis::GroupView &view) {
        std::cout << "view " << view.number << ":";
        for (const isis::ProcessId &member : view.members)
            std::cout << (member == view.members.front() ? " " : ", ") << member.site;
        std::cout << std::endl;
    };
    process.set_callbacks(callbacks);
    process.start_thread(); // it calls the two functions above
    isis::Group group = process.join("example");
    for (std::string line; std::getline(std::cin, line);)
        if (line.rfind('+', 0) == 0)
            group.obcast(isis::causal, line.substr(1), ISIS_WAIT);
        else
            group.bcast("chat", line, ISIS_WAIT);
    site.close();
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
