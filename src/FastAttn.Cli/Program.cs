using System;

using FastAttn.Cli;

return CommandLine.Invoke(args, Console.Out, Console.Error);
