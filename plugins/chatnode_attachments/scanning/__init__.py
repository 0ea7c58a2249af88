"""Virus scans."""
