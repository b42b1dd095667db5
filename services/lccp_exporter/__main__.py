from lccp_exporter.main import main

main()
